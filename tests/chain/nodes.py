"""What the chain's tests share: accounts, small programs for the EVM, transactions, a clock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from teeproof.chain.account import Account, Fields, address_bytes
from teeproof.chain.local.chain import LocalChain
from teeproof.chain.local.creation import FUNDED_KEY

NOBODY = "0x" + "11" * 20
START = 1_780_000_000
FEE, TIP = 5 * 10**9, 10**6

# PUSH0 SLOAD PUSH1 1 ADD PUSH0 SSTORE, then LOG1 with topic 7: counts its calls, and says so.
COUNTER = bytes.fromhex("5f546001015f5560075f5fa100")
# Reverts with Error("no").
REFUSER = bytes.fromhex(
    "7f08c379a000000000000000000000000000000000000000000000000000000000"
    "5f526020600452600260245261"
    "6e6f60f01b"
    "60445260645ffd"
)
LOOP = bytes.fromhex("5b5f56")  # JUMPDEST PUSH0 JUMP
EATER = b"\xfe"  # INVALID takes all the gas
TIME = bytes.fromhex("425f5260205ff3")  # returns the block's time
CLZ = bytes.fromhex("5f351e5f5260205ff3")  # CLZ of the first word


@dataclass
class Clock:
    now: int = START

    def __call__(self) -> int:
        return self.now


def program(code: bytes) -> bytes:
    """Return what deploys ``code``."""
    return bytes.fromhex(f"61{len(code):04x}80600a3d393df3") + code


def forged(like: bytes, slots: dict[int, int], *, token: str, spender: str) -> bytes:
    """Return what deploys the code of another contract, and first allows a spender everything.

    Args:
        like: the code as it stands on the chain.
        slots: what its storage begins with.
        token: whose allowance is given, in the new contract's own name.
        spender: to whom.
    """
    allow = bytes.fromhex("095ea7b3") + bytes(12) + bytes.fromhex(spender[2:]) + b"\xff" * 32
    head = b"".join(
        b"\x7f" + allow[at : at + 32].ljust(32, b"\0") + b"\x60" + bytes([at]) + b"\x52"
        for at in (0, 32, 64)
    )
    head += bytes.fromhex(f"5f5f60445f5f73{token[2:]}5af150")
    head += b"".join(
        b"\x7f" + value.to_bytes(32, "big") + b"\x7f" + slot.to_bytes(32, "big") + b"\x55"
        for slot, value in slots.items()
    )
    size, at = len(like), len(head) + 11
    return head + bytes.fromhex(f"61{size:04x}8061{at:04x}5f395ff3") + like


def funded(directory: Path) -> Account:
    return Account.load(directory / FUNDED_KEY)


class Sender:
    """Signs an account's transactions in order."""

    def __init__(self, chain: LocalChain, account: Account) -> None:
        self.chain, self.account = chain, account

    @property
    def nonce(self) -> int:
        state = self.chain.state(self.chain.head())
        nonce: int = state.get_nonce(address_bytes(self.account.address))
        return nonce

    def sign(self, to: str | None = NOBODY, data: bytes = b"", **other: int) -> bytes:
        fields = Fields(
            chain_id=other.pop("chain_id", self.chain.chain_id),
            nonce=other.pop("nonce") if "nonce" in other else self.nonce,
            to=to,
            data=data,
            value=other.pop("value", 0),
            gas=other.pop("gas", 200_000),
            max_fee=other.pop("max_fee", FEE),
            max_tip=other.pop("max_tip", TIP),
        )
        assert not other
        return self.account.sign(fields).raw

    def send(self, to: str | None = NOBODY, data: bytes = b"", **other: int) -> bytes:
        return self.chain.send(self.sign(to, data, **other))

    def deploy(self, code: bytes) -> str:
        digest = self.send(None, program(code), gas=1_000_000)
        found = self.chain.transaction(digest)
        assert found is not None
        assert found.created is not None
        return "0x" + found.created.hex()

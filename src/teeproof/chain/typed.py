"""What an account signs so that a stranger may carry it to a contract: EIP-712 digests.

    domain = domain_separator("teeproof Fund", chain_id=31337, contract="0x…")
    keyring.sign_typed(domain, trade.struct_hash)        65 bytes: r, s, v
    digest(domain, trade.struct_hash)                    the 32 bytes that were signed

Every domain holds the chain's id and the contract's address, so that nothing signed for one
contract holds for another, on this chain or elsewhere.

Sources: EIP-712; ERC-2612 (``Permit``); EIP-3009 (``…Authorization``); EIP-2 (low s).

Trusts: nothing comes from outside.  Does not trust: whoever made a signature.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, Final

from teeproof.chain.account import address_bytes, address_of
from teeproof.core.digests import keccak256
from teeproof.core.errors import Malformed, NotAuthentic, Usage

__all__ = [
    "VERSION",
    "Anchor",
    "CancelAuthorization",
    "Permit",
    "ReceiveWithAuthorization",
    "Rotate",
    "Trade",
    "TransferWithAuthorization",
    "Typed",
    "digest",
    "domain_separator",
    "signer_of",
    "split",
]

VERSION: Final = "1"  # of every domain here
_DOMAIN = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_HIGHEST_S = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # EIP-2


class Typed:
    """An EIP-712 struct of static members; subclasses are dataclasses that list them.

    ``types`` holds name and type of each member as EIP-712 spells them, in the order of the
    subclass's fields. Values are ``int``, ``bytes`` of 32, or addresses as text.
    """

    types: ClassVar[tuple[tuple[str, str], ...]]

    @property
    def struct_hash(self) -> bytes:
        """EIP-712's ``hashStruct``, 32 bytes.

        Raises:
            Malformed: a value that its type does not hold.
        """
        values = (getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]
        members = (_word(kind, value) for (_, kind), value in zip(self.types, values, strict=True))
        return keccak256(_type_hash(type(self).__name__, self.types), *members)

    @property
    def values(self) -> tuple[Any, ...]:
        """The members in order, as a contract's function takes the struct."""
        return tuple(getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade(Typed):
    """A trade that an agent orders of a fund.

    Attributes:
        action: digest of the agent's record of why; each is done once.
        venue: where.
        sell: the token that is sold.
        buy: the token that is bought.
        amount: how much is sold, in base units.
        min_out: how much is bought at least.
        nonce: what the fund's ``nonce`` says.
        deadline: until when this holds, in seconds since 1970.
    """

    action: bytes
    venue: str
    sell: str
    buy: str
    amount: int
    min_out: int
    nonce: int
    deadline: int

    types: ClassVar = (
        ("action", "bytes32"), ("venue", "address"), ("sell", "address"), ("buy", "address"),
        ("amount", "uint256"), ("minOut", "uint256"), ("nonce", "uint256"), ("deadline", "uint256"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotate(Typed):
    """An agent's word that another key, or the same in another identity, orders from now on."""

    next: str
    identity: bytes
    nonce: int

    types: ClassVar = (("next", "address"), ("identity", "bytes32"), ("nonce", "uint256"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor(Typed):
    """A log's checkpoint: its origin's Keccak-256, how many entries, their Merkle root."""

    origin: bytes
    size: int
    root: bytes

    types: ClassVar = (("origin", "bytes32"), ("size", "uint64"), ("root", "bytes32"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit(Typed):
    """ERC-2612: a spender may move an owner's tokens."""

    owner: str
    spender: str
    value: int
    nonce: int
    deadline: int

    types: ClassVar = (
        ("owner", "address"), ("spender", "address"), ("value", "uint256"), ("nonce", "uint256"),
        ("deadline", "uint256"),
    )  # fmt: skip


_AUTHORIZATION = (
    ("from", "address"), ("to", "address"), ("value", "uint256"), ("validAfter", "uint256"),
    ("validBefore", "uint256"), ("nonce", "bytes32"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferWithAuthorization(Typed):
    """EIP-3009: tokens move from their owner; anybody may carry it."""

    owner: str
    to: str
    value: int
    valid_after: int
    valid_before: int
    nonce: bytes

    types: ClassVar = _AUTHORIZATION


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveWithAuthorization(Typed):
    """EIP-3009: tokens move from their owner to whoever carries it, and that is ``to``."""

    owner: str
    to: str
    value: int
    valid_after: int
    valid_before: int
    nonce: bytes

    types: ClassVar = _AUTHORIZATION


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAuthorization(Typed):
    """EIP-3009: a nonce is used up."""

    authorizer: str
    nonce: bytes

    types: ClassVar = (("authorizer", "address"), ("nonce", "bytes32"))


def domain_separator(name: str, *, chain_id: int, contract: str) -> bytes:
    """Return the domain separator of a contract, 32 bytes.

    Args:
        name: of the domain: ``teeproof Fund``, or a token's own name.
        chain_id: the chain that the contract is on.
        contract: its address.
    """
    return keccak256(
        keccak256(_DOMAIN),
        keccak256(name.encode()),
        keccak256(VERSION.encode()),
        _word("uint256", chain_id),
        _word("address", contract),
    )


def digest(domain: bytes, struct_hash: bytes) -> bytes:
    """Return what is signed, 32 bytes."""
    return keccak256(b"\x19\x01", domain, struct_hash)


def split(signature: bytes) -> tuple[int, bytes, bytes]:
    """Return v, r and s of a signature of 65 bytes, as the ERCs' functions take them.

    Raises:
        Malformed: another length.
    """
    if len(signature) != 65:
        raise Malformed(
            "this is not a signature of secp256k1",
            code="signature_malformed",
            expected="65 bytes: r, s and v",
            got=f"{len(signature)} bytes",
        )
    return signature[64], signature[:32], signature[32:64]


def signer_of(domain: bytes, struct_hash: bytes, signature: bytes) -> str:
    """Return the address whose key signed, by the rules of our contracts.

    Raises:
        Malformed: not 65 bytes.
        NotAuthentic: v is not 27 or 28, s is the high twin, or nobody's key made it.
    """
    v, r, s = split(signature)
    if v not in (27, 28) or int.from_bytes(s, "big") > _HIGHEST_S:
        raise _forged("v is not 27 or 28, or s is not the lower of its two twins")
    from coincurve import PublicKey  # noqa: PLC0415  50 ms, and few need it

    try:
        key = PublicKey.from_signature_and_message(
            r + s + bytes((v - 27,)), digest(domain, struct_hash), hasher=None
        )
    except Exception:  # coincurve raises ValueError, or a bare Exception where no key fits
        raise _forged("no key made it") from None
    return address_of(key.format(compressed=False))


def _forged(why: str) -> NotAuthentic:
    return NotAuthentic(
        f"this signature is refused: {why}", code="signature_invalid", expected="r, s low, v"
    )


@cache
def _type_hash(name: str, types: tuple[tuple[str, str], ...]) -> bytes:
    members = ",".join(f"{kind} {member}" for member, kind in types)
    return keccak256(f"{name}({members})".encode())


def _word(kind: str, value: Any) -> bytes:
    """Return a value in 32 bytes, as EIP-712's ``encodeData`` does."""
    if kind == "address":
        return bytes(12) + address_bytes(value)
    if kind == "bytes32":
        if len(value) != 32:
            raise Malformed("this is not 32 bytes", code="word_malformed", got=f"{len(value)}")
        return bytes(value)
    bits = int(kind.removeprefix("uint"))
    if not 0 <= value < 1 << bits:
        raise Usage(f"this is no {kind}", code="number_out_of_range", got=str(value)[:90])
    return int(value).to_bytes(32, "big")

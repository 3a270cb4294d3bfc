"""What the agent's key signs, and who signed: EIP-712 trades of one fund on one chain.

Trusts: libsecp256k1.  Does not trust: whoever hands over a signature.
"""

from __future__ import annotations

from teeproof.agents.mandate import Mandate
from teeproof.agents.records import Intent
from teeproof.chain import typed
from teeproof.chain.account import address_bytes, address_of
from teeproof.chain.fund import DOMAIN
from teeproof.core.digests import keccak256
from teeproof.core.errors import Error, Usage
from teeproof.proof.anchor import rlp
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.keyring import Keyring

__all__ = ["agent_address", "contract_address", "is_signed_by", "sign_trade", "typed_trade"]


def agent_address(record: IdentityRecord) -> str | None:
    """Return the address of an identity's ``chain`` key; None if it has none."""
    key = record.key("chain")
    if key is None:
        return None
    from coincurve import PublicKey  # noqa: PLC0415  50 ms, and few need it

    return address_of(PublicKey(key.raw).format(compressed=False))


def contract_address(deployer: str, nonce: int) -> str:
    """Return the address of what an account deploys with its n-th transaction, from 0.

    A mandate names its fund, and a fund its agent's key, which is derived for the mandate: so the
    fund's address is reckoned first. Source: Ethereum yellow paper, section 7.
    """
    body = rlp.encode([address_bytes(deployer), rlp.from_uint(nonce)])
    return "0x" + keccak256(body)[-20:].hex()


def typed_trade(intent: Intent) -> typed.Trade:
    """Return what is signed for an intent's trade: the intent's digest is its ``action``."""
    trade = intent.trade
    if trade is None:
        raise Usage("this intent has no trade", code="trade_missing")
    return typed.Trade(
        action=intent.digest,
        venue=trade.venue,
        sell=trade.sell,
        buy=trade.buy,
        amount=int(trade.amount),
        min_out=int(trade.min_out),
        nonce=int(trade.nonce),
        deadline=trade.deadline,
    )


def sign_trade(keyring: Keyring, intent: Intent, *, mandate: Mandate) -> bytes:
    """Return the agent's signature over an intent's trade, 65 bytes; the same each time."""
    return keyring.sign_typed(_domain(mandate), typed_trade(intent).struct_hash)


def is_signed_by(address: str, signature: str, intent: Intent, *, mandate: Mandate) -> bool:
    """Return whether an address's key signed an intent's trade; ``signature`` is hex."""
    try:
        given = bytes.fromhex(signature)
        return typed.signer_of(_domain(mandate), typed_trade(intent).struct_hash, given) == address
    except (Error, ValueError):
        return False


def _domain(mandate: Mandate) -> bytes:
    return typed.domain_separator(DOMAIN, chain_id=mandate.chain_id, contract=mandate.fund)

"""What a person asked ``verify`` for, and whom they trust."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from teeproof.core.errors import Usage
from teeproof.core.reading import read_bounded
from teeproof.evidence.policy import Policy

__all__ = ["Asked", "trust_of"]

_LOCAL = "local:"
_OF_ONE_QUOTE = ("report_data", "nonce", "keyset_digest")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked ``verify`` for.

    Attributes:
        files: what it was pointed at; behind a log's directory, ids.
        policy: expectations about every machine; None for the defaults.
        author_policy: further ones about whoever wrote what was asked about.
        logs: a tlog-policy file.
        blocks: ``CHAIN:HASH:CONTRACT`` each, ``local:`` before it for a chain that proves no time.
        now: the verifier's time.
        every: show everything.
        as_json: print JSON.
    """

    files: tuple[Path, ...]
    policy: Policy | None
    author_policy: Policy | None
    logs: Path | None
    blocks: tuple[str, ...]
    now: datetime
    every: bool
    as_json: bool


def trust_of(asked: Asked) -> Any:
    """Return the ``Trust`` that the options make up; Usage, Malformed if they cannot."""
    from teeproof.proof.log.formats.policy import MAX_POLICY_BYTES, TlogPolicy  # noqa: PLC0415
    from teeproof.proof.verify import Trust  # noqa: PLC0415

    for policy in (asked.policy, asked.author_policy):
        _require_of_any_quote(policy)
    logs = None
    if asked.logs is not None:
        text = read_bounded(asked.logs, limit=MAX_POLICY_BYTES, what="log policy")
        logs = TlogPolicy.parse(text)
    return Trust(
        policy=asked.policy,
        author_policy=asked.author_policy,
        logs=logs,
        blocks=_blocks(asked.blocks),
    )


def _require_of_any_quote(policy: Policy | None) -> None:
    """Refuse expectations about one quote: the identities of a proof bind their own keys."""
    named = [one for one in _OF_ONE_QUOTE if policy is not None and getattr(policy, one)]
    if named:
        raise Usage(
            f"a policy for proofs has no {' and no '.join(named)}: that is said of one quote, and"
            " each machine in a proof binds keys of its own",
            code="policy_of_one_quote",
            expected="a policy without it; teeproof policy simulated prints one for simulated ones",
            got=f"{policy.name if policy else ''}, with {', '.join(named)}",
        )


def _blocks(texts: Sequence[str]) -> dict[bytes, Any]:
    """Return the blocks by hash; one that is named twice trusts both contracts."""
    found: dict[bytes, Any] = {}
    for text in texts:
        digest, block = _block(text)
        known = found.setdefault(digest, block)
        if (known.chain_id, known.public) != (block.chain_id, block.public):
            raise Usage("one block cannot be of two chains", code="block_malformed", got=text[:120])
        contracts = known.contracts | block.contracts
        found[digest] = msgspec.structs.replace(block, contracts=contracts)
    return found


def _block(text: str) -> tuple[bytes, Any]:
    from teeproof.proof.anchor import TrustedBlock  # noqa: PLC0415

    named = text.removeprefix(_LOCAL)
    chain, _, rest = named.partition(":")
    digest, _, contract = rest.partition(":")
    try:
        block, address = (bytes.fromhex(part.removeprefix("0x")) for part in (digest, contract))
    except ValueError:
        block = address = b""
    number = int(chain) if chain.isascii() and chain.isdecimal() and len(chain) < 20 else 0
    if len(block) != 32 or len(address) != 20 or number < 1:
        raise Usage(
            "--block takes a chain, a block hash and the contract that anchors there; before them"
            f" {_LOCAL} if one party alone makes the chain's blocks",
            code="block_malformed",
            expected="--block 1:0x…64 hex digits…:0x…40 hex digits…",
            got=text[:120],
        )
    return block, TrustedBlock(number, public=named == text, contracts=frozenset({address}))

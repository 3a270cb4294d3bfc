"""Who earns by an answer: from its receipt to the node, the model's owner, the contributors.

Only edges that name a statement are followed, and only where that statement lists the very digest
among its outputs: whoever else claims to have made the same data earns nothing by it. A part of a
dataset that the training left out earns nothing either. The walk is as long as the lifecycle, so
that no cycle can keep it.

Predicates are read by their fields, since this chapter does not know those of training.

Trusts: nothing.  Does not trust: the source, whoever wrote the records.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from teeproof.core.digests import named
from teeproof.core.errors import Malformed, NotAuthentic, Unavailable
from teeproof.proof.links import Link
from teeproof.proof.receipt import RECEIPT_TYPE, Receipt
from teeproof.proof.source import Read, Source, read_record

__all__ = ["NOBODY", "Earner", "Lineage"]

NODE: Final = "urn:teeproof:node:v1"
LEASE: Final = "urn:teeproof:lease:v1"
TRAINING: Final = "urn:teeproof:training:v1"
DATASET: Final = "urn:teeproof:dataset:v1"
CONTRIBUTION: Final = "urn:teeproof:contribution:v1"
_TO_THE_CLAIM: Final = ("match", "admission", "claim")  # roles, from a lease to its node's claim
_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.ASCII)
NOBODY: Final = ""  # the address of a contributor who named none: its part is nobody's
_ZERO = "0x" + "0" * 40


class Earner(NamedTuple):
    """An address that earns, and with what weight among those of its role."""

    address: str
    weight: int


class Lineage:
    """Reads records from a source, each by its digest.

    Raises:
        See ``fees.split``.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def receipt(self, answer: bytes) -> Receipt:
        """Return a receipt by its id."""
        receipt = self._record(answer).receipt
        if receipt is None:
            raise Malformed(
                "this is the id of a statement, not of an answer's receipt",
                code="receipt_malformed",
                expected=RECEIPT_TYPE,
                got=named(answer),
            )
        return receipt

    def earners(self, receipt: Receipt) -> dict[str, tuple[Earner, ...]]:
        """Return who earns, by role, sorted by address; none of a role that names nobody."""
        lease = self._one(receipt.links, "node", LEASE)
        training = self._one(receipt.links, "model", TRAINING)
        found: dict[str, Iterable[Earner]] = {
            "node": self._node(lease),
            "model": _paid_out(training),
            "data": self._contributors(training),
        }
        return {role: _together(earners) for role, earners in found.items()}

    def _node(self, lease: Read | None) -> Iterable[Earner]:
        claim = lease
        for role in _TO_THE_CLAIM:
            if claim is None or claim.type == NODE:
                break
            claim = self._one(claim.links, role, None) or self._one(claim.links, "node", None)
        if lease is None or claim is None or claim.type != NODE:
            return ()
        _require_agreement("payout", _field(claim, "payout"), _field(lease, "payout"))
        return _paid_out(claim)

    def _contributors(self, training: Read | None) -> Iterable[Earner]:
        if training is None:
            return
        used, known = _trained_on(training), set[object]()
        for dataset in self._all(training.links, "dataset", DATASET):
            parts = _field(dataset, "parts")
            links = [link for link in dataset.links if link.role == "contribution"]
            if not isinstance(parts, list | tuple) or len(parts) != len(links):
                raise Malformed(
                    "the dataset does not name a contribution for each of its parts",
                    code="lineage_malformed",
                    expected=f"{len(links)} parts",
                    got=f"{len(parts)} parts" if isinstance(parts, list | tuple) else "none",
                )
            for part, link in zip(parts, links, strict=True):
                file = part.get("file") if isinstance(part, dict) else None
                known.add(file)
                if file in used:
                    yield from self._contributor(part, link)
        if not used <= known:
            raise NotAuthentic(
                "the training names a part that none of its datasets has",
                code="lineage_disputed",
                expected="files of its datasets",
                got=", ".join(sorted(used - known))[:300],
            )

    def _contributor(self, part: Any, link: Link) -> Iterable[Earner]:
        made = self._above(link)
        told = part if isinstance(part, dict) else {}
        weight = _weight(told.get("weight"))
        if made is None or made.type != CONTRIBUTION:
            return (Earner(NOBODY, weight),)
        for name in ("payout", "weight"):
            _require_agreement(name, _field(made, name), told.get(name))
        return _paid_out(made, weight=weight) or (Earner(NOBODY, weight),)

    def _one(self, links: Iterable[Link], role: str, kind: str | None) -> Read | None:
        """Return the statement that made the one input of a role; None if none is named."""
        given = [link for link in links if link.role == role]
        if len(given) > 1:
            raise Malformed(
                f"two inputs are named as the {role}: nobody could say whom to pay",
                code="lineage_malformed",
                expected=f"one {role}",
                got=str(len(given)),
            )
        made = self._above(given[0]) if given else None
        return made if made is not None and kind in (None, made.type) else None

    def _all(self, links: Iterable[Link], role: str, kind: str) -> list[Read]:
        """Return the statements that made the inputs of a role, each once."""
        given = {link.statement: link for link in links if link.role == role}
        made = (self._above(link) for link in given.values())
        return [read for read in made if read is not None and read.type == kind]

    def _above(self, link: Link) -> Read | None:
        """Return the statement that an input names; None if it names a digest alone."""
        if link.statement is None:
            return None
        made = self._record(link.statement)
        if link.digest not in (named(made.id), *(subject.sha256 for subject in made.subjects)):
            raise NotAuthentic(
                f"the statement that is named as the maker of the {link.role[:40]} did not make it",
                code="lineage_denied",
                expected=link.digest,
                got=", ".join(subject.sha256 for subject in made.subjects)[:300],
            )
        return made

    def _record(self, record_id: bytes) -> Read:
        data = self._source.statement(record_id)
        if data is None:
            raise Unavailable(
                "a record of this answer's lineage is not here: fetch it, and divide then",
                code="lineage_missing",
                got=named(record_id),
            )
        read = read_record(data)
        if read.id != record_id:
            raise NotAuthentic(
                "the source gave another record than the one it was asked for: do not use it",
                code="record_mismatch",
                expected=named(record_id),
                got=named(read.id),
            )
        return read


def _field(read: Read, name: str) -> Any:
    statement = read.statement
    plain = None if statement is None else msgspec.to_builtins(statement.predicate)
    return plain.get(name) if isinstance(plain, dict) else None


def _trained_on(training: Read) -> set[str]:
    """Return the files of which at least one record was trained on: no other part earns."""
    sources = _field(training, "sources")
    try:
        return {str(source["file"]) for source in sources if source["records"] > 0}
    except (KeyError, TypeError):
        raise Malformed(
            "the training does not say which parts of its data it used",
            code="lineage_malformed",
            expected="sources, each with file and records",
            got=str(sources)[:100],
        ) from None


def _paid_out(read: Read | None, *, weight: int = 1) -> tuple[Earner, ...]:
    address = None if read is None else _field(read, "payout")
    if address is None:
        return ()
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address) or address == _ZERO:
        raise Malformed(
            "a payout is no address",
            code="payout_malformed",
            expected="0x and 40 lower-case hex digits, not all 0",
            got=ascii(str(address)[:60])[1:-1],
        )
    return (Earner(address, weight),)


def _weight(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise Malformed(
            "a contribution's weight is no number",
            code="weight_malformed",
            expected="an integer, not below 0",
            got=str(value)[:60],
        )
    return value


def _require_agreement(name: str, own: Any, told: Any) -> None:
    if own != told:
        raise NotAuthentic(
            f"whoever is paid stated another {name} than the record that pays",
            code="lineage_disputed",
            expected=str(own)[:100],
            got=str(told)[:100],
        )


def _together(earners: Iterable[Earner]) -> tuple[Earner, ...]:
    """Return each address once, with all its weight."""
    found: dict[str, int] = {}
    for earner in earners:
        found[earner.address] = found.get(earner.address, 0) + earner.weight
    return tuple(Earner(*each) for each in sorted(found.items()) if each[1])

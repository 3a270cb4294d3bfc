"""Lifecycles for the tests of fees: a receipt and all that it names, in the chapters' own types.

What a statement says beyond payout and weight does not matter to a fee, so those fields are filled
with anything that their types allow.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from teeproof.core.digests import named, sha256
from teeproof.proof import canonical
from teeproof.proof import statement as statements
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.links import Material, Subject
from teeproof.proof.memory import MemorySource
from teeproof.proof.receipt import Receipt, link_event, model_event
from teeproof.proof.statement import Statement

TOKEN = "0x" + "70" * 20
ASSET = f"eip155:31337/erc20:{TOKEN}"
SHARES = {"node": 4000, "model": 3000, "data": 3000}
NODE, OWNER = "0x" + "01" * 20, "0x" + "02" * 20
AUTHOR = named(sha256(b"author"))


def address(number: int) -> str:
    return f"0x{0xDA7A << 96 | number:040x}"


def predicate(name: str, **given: Any) -> Any:
    """A predicate of a chapter, its other fields filled."""
    chapter = {"node": "network", "lease": "network", "match": "network", "admission": "network"}
    folder = chapter.get(name, "training" if name == "training" else "data")
    importlib.import_module(f"teeproof.{folder}.statements")
    kind = statements._TYPES[f"urn:teeproof:{name}:v1"]
    return filled(kind, {"author": AUTHOR} | given)


def filled(kind: type[msgspec.Struct], given: Mapping[str, Any]) -> Any:
    needed = {
        field.name: field.type for field in msgspec.inspect.type_info(kind).fields if field.required
    }  # type: ignore[attr-defined]
    return kind(**{name: anything(of) for name, of in needed.items() if name not in given} | given)


def anything(kind: Any) -> Any:
    inspect = msgspec.inspect
    if isinstance(kind, inspect.StructType):
        return filled(kind.cls, {})
    if isinstance(kind, inspect.UnionType):
        return anything(kind.types[0])
    if isinstance(kind, inspect.StrType) and kind.pattern:
        return "a" * int(re.findall(r"\d+", kind.pattern)[-1])  # so many hex digits
    if isinstance(kind, inspect.LiteralType):
        return kind.values[0]
    simple = {
        inspect.StrType: "x", inspect.IntType: 0, inspect.BoolType: False, inspect.NoneType: None,
        inspect.DictType: {}, inspect.VarTupleType: (), inspect.ListType: [],
    }  # fmt: skip
    return simple[type(kind)]


class Story:
    """Records in memory, and ids for those who name them."""

    def __init__(self) -> None:
        self.source = MemorySource()
        self._count = 0

    def say(
        self, name: str, *, of: Iterable[tuple[str, Statement]] = (), **given: Any
    ) -> Statement:
        """Keep a statement made of others, each in a role."""
        self._count += 1
        materials = tuple(
            Material(role=role, digest=made.subjects[0].digest, statement=made.name)
            for role, made in of
        )
        return self.keep(predicate(name, materials=materials, **given), data=f"{self._count}")

    def keep(self, said: Any, *, data: str) -> Statement:
        subject = Subject({"sha256": sha256(data.encode()).hex()}, name=data)
        statement = Statement.of(said, subjects=(subject,))
        envelope = Envelope(statement.payload, (Signature(AUTHOR, bytes(64)),))
        self.source.add_statement(envelope.encode())
        return statement

    def lease(self, payout: str = NODE, *, told: str | None = None) -> Statement:
        """From a node's claim to its lease."""
        claim = self.say("node", payout=payout)
        admission = self.say("admission", of=[("claim", claim)])
        match = self.say("match", of=[("admission", admission)])
        return self.say("lease", of=[("match", match)], payout=told or payout)

    def dataset(self, *parts: tuple[str, int], **told: Any) -> Statement:
        """From contributions, (payout, weight) each, to their dataset."""
        made = [self.say("contribution", payout=who, weight=weight) for who, weight in parts]
        from teeproof.data.statements import DatasetPart

        listed = tuple(
            filled(
                DatasetPart,
                {"payout": who, "weight": weight, "file": f"{self._count:016x}{place:016x}"} | told,
            )
            for place, (who, weight) in enumerate(parts)
        )
        return self.say("dataset", of=[("contribution", one) for one in made], parts=listed)

    def training(
        self, *datasets: Statement, payout: str = OWNER, records: Mapping[int, int] = {}
    ) -> Statement:
        """Of all parts of some datasets; ``records``: how many were used, by a part's place."""
        from teeproof.training.statements import Source

        parts = {part.file: part for one in datasets for part in one.predicate.parts}
        sources = tuple(
            filled(Source, {"file": file, "records": records.get(place, 10)})
            for place, file in enumerate(parts)
        )
        of = [("dataset", one) for one in datasets]
        return self.say("training", of=of, payout=payout, sources=sources)

    def receipt(
        self,
        lease: Statement | None = None,
        training: Statement | None = None,
        *,
        amount: int = 300_000,
        shares: Mapping[str, int] = SHARES,
        events: Sequence[dict[str, Any]] = (),
        **usage: Any,
    ) -> bytes:
        """Keep a receipt and return its id."""
        links = []
        if training is not None:
            links.append(model_event(training.subjects[0].sha256, statement=training.id))
        if lease is not None:
            links.append(link_event("node", lease.subjects[0].sha256, statement=lease.id))
        used = {
            "type": "x.usage", "prompt_tokens": 12, "completion_tokens": 9, "asset": ASSET,
            "amount": str(amount), "shares": dict(shares),
        }  # fmt: skip
        return self.keep_receipt([*links, used | usage, *events])

    def keep_receipt(self, events: Sequence[dict[str, Any]]) -> bytes:
        self._count += 1
        body = {
            "api_version": "aci/1", "key_id": "receipt", "receipt_id": f"rcpt-{self._count}",
            "workload_keyset_digest": named(sha256(b"keyset")), "signature": "00" * 64,
            "event_log": [
                {"type": "request.received", "body_hash": named(sha256(b"request"))}, *events,
            ],
        }  # fmt: skip
        encoded = canonical.encode(body)
        self.source.add_statement(encoded)
        return Receipt.parse(encoded).id

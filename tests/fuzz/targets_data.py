"""Fuzz targets for pools: contributed files, orders, submissions, terms, sketches, texts."""

from __future__ import annotations

import io
import json
from contextlib import suppress

from teeproof.cloud.kms.policy import ReleasePolicy
from teeproof.core import strictjson
from teeproof.core.digests import sha256
from teeproof.core.errors import Error, Malformed, NotAuthentic, TooLarge
from teeproof.core.sealed import read_header
from teeproof.data.consent import check_consent, check_policy
from teeproof.data.meaning import judge
from teeproof.data.novelty import Sketches, normalise, pieces
from teeproof.data.orders import Order
from teeproof.data.records import MAX_TEXT, read_records
from teeproof.data.samples import file_of, sample_orders
from teeproof.data.submission import Submission
from teeproof.data.terms import PoolTerms
from teeproof.proof.statement import Statement

_TERMS = PoolTerms(
    name="fuzz", validators=("ab" * 32,), trainers=("cd" * 32,), held_out=f"sha256:{'ef' * 32}",
    shares={"node": 4000, "model": 3000, "data": 3000},
)  # fmt: skip
_ORDERS = sample_orders(40, seed=1)


def fuzz_data_records(data: bytes) -> None:
    """A file is read whole, or every fault has a line; what was read writes back to itself."""
    with suppress(TooLarge):
        contents = read_records(data, max_records=200)
        lines = data.count(b"\n") + 1
        assert all(0 <= fault.line <= lines for fault in contents.faults)
        assert contents.confirmed <= len(contents.records) <= lines
        again = read_records(file_of(contents.records))
        assert again.records == contents.records
        if not contents.faults:
            assert again.confirmed == contents.confirmed
            assert contents.require() == contents.records


def fuzz_data_order(data: bytes) -> None:
    """An order is refused, or its text is JSON that reads back as the same order."""
    with suppress(Malformed):
        order = Order.of(strictjson.loads(data, limit=1 << 12))
        assert Order.of(json.loads(order.text)) == order
        assert Order.of(json.loads(order.text)).text == order.text


def fuzz_data_meaning(data: bytes) -> None:
    """Any text can be judged; nothing contradicts and confirms an order at once."""
    text = "".join(chr(32 + (byte - 32) % 95) for byte in data[:MAX_TEXT])
    for record in _ORDERS[:3]:
        found = judge(text, record.order)
        assert not (found.contradiction and found.confirmed)
    assert normalise(normalise(text)) == normalise(text)
    assert pieces(normalise(text))


def fuzz_data_submission(data: bytes) -> None:
    """A submission is refused, or is one; whoever forged it does not pass for its owner."""
    with suppress(Error):
        sent = Submission.parse(data)
        assert Submission.parse(sent.encode()) == sent
        header = read_header(io.BytesIO(sent.sealed))
        check_policy(sent.policy, consent=sent.consent, terms=_TERMS)
        check_consent(
            sent.consent, sent.signature, terms=_TERMS, header=header,
            ciphertext=sha256(sent.sealed),
        )  # fmt: skip
        assert sent == _sent()


def fuzz_data_terms(data: bytes) -> None:
    """Terms are refused, or are exactly their own encoding."""
    with suppress(Malformed):
        assert PoolTerms.parse(data).encode() == data


def fuzz_data_statements(data: bytes) -> None:
    """A statement of a pool is refused, or is exactly its own encoding."""
    with suppress(Malformed):
        statement = Statement.parse(data)
        if not statement.known:
            return
        assert Statement.of(statement.predicate, subjects=statement.subjects).payload == data
    with suppress(Malformed, NotAuthentic):
        ReleasePolicy.parse(data)


def fuzz_data_sketches(data: bytes) -> None:
    """The sketches of any texts read back, and their rows ascend."""
    texts = data.decode("latin-1").split("\n")[:20]
    made = Sketches.of(texts, seed=bytes(32))
    assert Sketches.decode(made.encode()).rows == made.rows
    assert all(list(row) == sorted(set(row)) and row for row in made.rows)


def _sent() -> Submission:
    if not _MADE:
        from teeproof.cloud.owner import OwnerKey
        from teeproof.core.sealed import PrivateRecipient
        from teeproof.core.sealed.recipients import X25519
        from teeproof.data.submission import policy_for, submit

        owner = OwnerKey(bytes(range(32)))
        policy = policy_for(_TERMS, owner=owner.public, not_after=1_800_000_000)
        recipient = PrivateRecipient(X25519, bytes(range(32))).public
        _MADE.append(
            submit(
                file_of(_ORDERS), owner=owner, terms=_TERMS, policy=policy, recipient=recipient,
                payout="0x" + "12" * 20, time=1_700_000_000,
            )
        )  # fmt: skip
    return _MADE[0]


def _statements() -> list[bytes]:
    from teeproof.data.statements import Contribution, Dataset, DatasetPart
    from teeproof.proof.links import Subject

    sent, author = _sent(), f"sha256:{'11' * 32}"
    subjects = (Subject({"sha256": "00" * 32}),)
    one = Contribution(
        author=author, contribution=sent.consent.contribution, sequence=1, terms=_TERMS,
        consent=sent.consent, signature=sent.signature, decision="refused", weight=0,
        payout=sent.consent.payout,
    )  # fmt: skip
    part = DatasetPart(
        contribution="00" * 32, sequence=1, owner=sent.consent.owner, payout="0x" + "12" * 20,
        file="00" * 16, ciphertext="00" * 32, root="00" * 32, records=40, weight=7,
    )  # fmt: skip
    other = Dataset(
        author=author, terms=_TERMS, parts=(part,), copies=0, refused=0, through=1, head=author,
        records=40, weight=7,
    )  # fmt: skip
    return [Statement.of(each, subjects=subjects).payload for each in (one, other)]


_MADE: list[Submission] = []
SEEDS = {
    "fuzz_data_records": lambda: [file_of(_ORDERS), file_of(_ORDERS[:2]) + b"rubbish\n"],
    "fuzz_data_order": lambda: [record.order.text.encode() for record in _ORDERS],
    "fuzz_data_meaning": lambda: [
        b"purchase 7K% of my DOT",
        *(record.text.encode() for record in _ORDERS),
    ],
    "fuzz_data_submission": lambda: [_sent().encode()],
    "fuzz_data_terms": lambda: [_TERMS.encode()],
    "fuzz_data_statements": _statements,
    "fuzz_data_sketches": lambda: [b"sell half my ETH\nbuy BTC", b""],
}

"""One true statement of each kind that is judged, in its proof; and ways to bend any of them.

``truths`` are made in small worlds without a network or a chain. ``bent`` gives a statement of the
proof other values, as an author could who signs what he likes; ``judgement`` is what the judge says
then, below the net that ``claims.judged`` spreads under it.
"""

from __future__ import annotations

import io
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from teeproof.cli.chapters import JUDGED
from teeproof.core.clock import to_epoch
from teeproof.core.digests import named
from teeproof.core.errors import Error
from teeproof.evidence.verdict import Check
from teeproof.proof import canonical
from teeproof.proof.file import ProofFile, export
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.memory import MemorySource
from teeproof.proof.receipt import Receipt
from teeproof.proof.source import Read
from teeproof.proof.statement import _TYPES, Statement
from teeproof.proof.verify import Trust, claims
from teeproof.proof.verify.claims import View
from teeproof.proof.verify.verify import _Verification

assert JUDGED  # all chapters are imported by now


@dataclass(frozen=True)
class Truth:
    """A statement in its proof.

    Attributes:
        root: the statement.
        view: the proof, as its judge sees it.
        reads: the root and all that it was made of, by ``sha256:…``.
    """

    root: Read
    view: View
    reads: Mapping[str, Read]


@dataclass(frozen=True)
class Bent:
    """A proof in which one statement is another, under the same name.

    Attributes:
        there: the proof as it was.
        reads: what is said instead, by the name of what it stands for.
        facts_are: what is known of every machine instead; None leaves what is.
    """

    there: View
    reads: Mapping[str, Read] = field(default_factory=dict)
    facts_are: Mapping[str, Any] | None = None

    def statement(self, name: str) -> Read | None:
        return self.reads.get(name) or self.there.statement(name)

    def author(self, name: str) -> bytes | None:
        read = self.reads.get(name)
        return self.there.author(name) if read is None or read.receipt else read.author

    def identity(self, digest: bytes) -> IdentityRecord | None:
        return self.there.identity(digest)

    def facts(self, digest: bytes) -> Mapping[str, Any]:
        return self.there.facts(digest) if self.facts_are is None else self.facts_are


def judgement(truth: Truth, view: View, root: Read | None = None) -> tuple[Check, ...]:
    """What the judge says, or raises, with no net below it."""
    return tuple(claims._JUDGES[truth.root.type](root or truth.root, view))


def judged_bent(truth: Truth, which: str, read: Read) -> tuple[Check, ...]:
    """The same, with another statement in the place of one; errors that are ours are an answer."""
    root = read if which == named(truth.root.id) else truth.root
    try:
        return judgement(truth, Bent(truth.view, {which: read}), root)
    except Error:
        return ()


# How a statement is bent.


def document_of(read: Read) -> Any:
    """What an author can write anew: a predicate and its subjects, or a receipt."""
    if read.receipt is not None:
        return msgspec.json.decode(read.receipt.encode())
    assert read.statement is not None
    said = {"predicate": read.statement.predicate, "subjects": read.subjects}
    return msgspec.json.decode(msgspec.json.encode(said))


def read_of(read: Read, document: Any) -> Read | None:
    """The statement that a document is, in the place of another; None if no file can hold it."""
    try:
        if read.receipt is not None:
            made = Receipt.parse(canonical.encode(document))
            return read._replace(subjects=made.subjects, links=made.links, receipt=made)
        predicate = msgspec.convert(document["predicate"], _TYPES[read.type], strict=True)
        kind = tuple[type(read.subjects[0]), ...]  # type: ignore[misc]
        statement = Statement.of(
            predicate, subjects=msgspec.convert(document["subjects"], kind, strict=True)
        )
    except (Error, msgspec.ValidationError, KeyError, TypeError):
        return None
    return read._replace(
        author=statement.author, subjects=statement.subjects, links=statement.links,
        cosigners=statement.cosigners, statement=statement,
    )  # fmt: skip


def bent(source: random.Random, read: Read) -> Read | None:
    """A statement with one to three values changed; None if no file can hold it."""
    document = document_of(read)
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        places = list(_places(document))
        holder, key = source.choice(places)
        value, way = holder[key], source.random()
        if way < 0.2:
            other, name = source.choice(places)
            if type(other[name]) is type(value):  # copies: one may lie within the other
                holder[key], other[name] = deepcopy(other[name]), deepcopy(value)
        elif way < 0.3:
            holder[key] = _emptied(value, source.choice(((int,), (list,), (int, list))))
        elif way < 0.35 and isinstance(holder, dict):
            del holder[key]
        else:
            holder[key] = source.choice(_STRANGE[type(value)])(value)
    return read_of(read, document)


def each_bent(read: Read) -> Iterator[Read]:
    """A statement with one value changed, for each value in it, in the ways that break most."""
    document = document_of(read)
    for holder, key in list(_places(document)):
        value = holder[key]
        for strange in _HARD[type(value)]:
            holder[key] = strange(value)
            made = read_of(read, document)
            if made is not None:
                yield made
        holder[key] = value


def _emptied(value: Any, kinds: tuple[type, ...]) -> Any:
    """A value in which all numbers are 0, or all lists are empty, or both."""
    if type(value) in kinds:
        return type(value)()
    if isinstance(value, dict):
        return {name: _emptied(one, kinds) for name, one in value.items()}
    return [_emptied(one, kinds) for one in value] if isinstance(value, list) else value


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Each value in a document, by what holds it and its place there."""
    waiting = [document]
    for node in waiting:
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            yield node, key
            if isinstance(node[key], dict | list):
                waiting.append(node[key])


def _always(*values: Any) -> list[Callable[[Any], Any]]:
    return [lambda _, value=value: value for value in values]  # type: ignore[misc]


_MOST = (1 << 53) - 1
_STRANGE: dict[type, list[Callable[[Any], Any]]] = {
    str: [
        *_always(
            "", "zz", "0", "-1", "1" * 78, "9" * 78, "9" * 5000, "1e9", "٣", "\0", "0x", "00" * 32,
            "sha256:", "sha256:" + "00" * 32, "0x" + "00" * 20, "1.5", "1_0", "null",
        ),
        lambda text: text[:-1], lambda text: text + "0", lambda text: text + "\n", str.upper,
        lambda text: "zz" + text[2:], lambda text: text[::-1], lambda text: text * 2,
    ],
    int: [
        *_always(0, 1, -1, -_MOST, _MOST, 1 << 32, (1 << 32) - 1, 1 << 31, 86_400, 2),
        lambda number: number + 1, lambda number: number - 1, lambda number: -number,
    ],
    list: [
        *_always([]), lambda rows: rows * 2, lambda rows: rows[::-1], lambda rows: rows[1:],
        lambda rows: rows[:1], lambda rows: rows[:1] * 30,
    ],
    dict: [*_always({}, None), lambda held: dict(list(held.items())[1:])],
    bool: [lambda held: not held, *_always(None, 1)],
    type(None): _always("", 0, [], {}),
}  # fmt: skip

_HARD: dict[type, list[Callable[[Any], Any]]] = {
    str: [*_always("", "٣" * 64), lambda text: "zz" + text[2:]],
    int: _always(0, -1, _MOST),
    list: [*_always([]), lambda rows: rows * 2],
    dict: [*_always({}), lambda held: _emptied(held, (int,)), lambda held: _emptied(held, (list,))],
    bool: [lambda held: not held],
    type(None): [],
}


# The true ones.


@cache
def truths() -> dict[str, Truth]:
    """One of each kind that is judged, by its type."""
    made = (*_network(), *_cloud(), *_data(), _answer(), *_agents())
    return {truth.root.type: truth for truth in made}


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="teeproof-bent-"))


def _truth(store: MemorySource, root: bytes, *, now: Any, policy: Any) -> Truth:
    target = io.BytesIO()
    export(store, [root], target, allow_missing=True)
    proof = ProofFile.from_bytes(target.getvalue())  # it stays open: the view reads from it
    made = _Verification(proof, Trust(policy=policy), to_epoch(now), {})
    made.run(None)
    reads = {named(one): read for one in made.closure.statements if (read := proof.read(one))}
    return Truth(reads[named(root)], made.view, reads)


def _network() -> Iterator[Truth]:
    from teeproof.cloud.owner import OwnerKey
    from tests.network.scenes import Scene, policy

    scene, owner = Scene(_folder()), OwnerKey(bytes(32))
    node = scene.node("cheap", price="10", labels={"disk": "nvme"})
    scene.node("dear", price="20")
    lease = scene.leased(node, owner)
    node.work(30)
    closed = scene.close(owner, lease).closed
    root = _truth(scene.store, bytes.fromhex(closed[7:]), now=scene.clock(), policy=policy())
    for read in root.reads.values():
        yield Truth(read, root.view, root.reads)


def _cloud() -> Iterator[Truth]:
    from teeproof.evidence.policy import parse_policy
    from teeproof.proof.envelope import Envelope
    from tests.cloud.keeping import NOW, Kms, job_of, machines

    kms = Kms(_folder())
    file = kms.file()
    job = job_of(file)
    me, challenge = kms.answer(job)
    released = Statement.parse(kms.ask(me, challenge, job, file).statement.payload)
    kms.store.add_identity(me.record.encode(), me.blobs)
    me.store = kms.store
    step = me.seal("train", outputs={"model": b"weights"}).statement
    from teeproof.proof.links import Material

    known = Material(step.subjects[0].digest, role="model", statement=step.name)
    release = Statement.of(
        msgspec.structs.replace(released.predicate, materials=(known,)), subjects=released.subjects
    )
    kms.store.add_statement(kms.journal.me.sign(release).encode())
    erased = Statement.parse(Envelope.parse(kms.withdraw(file).encode()).payload)
    recipient = bytes.fromhex(erased.predicate.materials[0].statement[7:])
    for root in (recipient, release.id, erased.id):
        yield _truth(kms.store, root, now=NOW, policy=parse_policy(machines()))
    kms.close()


def _data() -> Iterator[Truth]:
    from tests.data.scenes import ALICE, BOB, NOW, Place, honest, inside, order, send, submission
    from tests.data.scenes import terms as terms_of
    from tests.proof.people import policy

    rules = terms_of(trainers=(inside().manifest.compose_hash,))
    place = Place(_folder(), rules=rules)
    pool = place.open()
    for number, owner in enumerate((ALICE, BOB), 1):
        send(pool, submission(honest(number, 40), owner, terms=rules))
    dataset = pool.dataset().statement
    training = _training(place.store, dataset)
    sent = submission(honest(3, 40), BOB, terms=rules)
    entry = send(pool, sent)
    withdrawn = pool.withdraw(sent.consent.contribution, *order(sent, BOB)).statement
    assert entry.decided is not None
    for root in (entry.decided.statement, dataset, withdrawn, training):
        yield _truth(place.store, root.id, now=NOW, policy=policy())
    place.close()


def _training(store: MemorySource, dataset: Statement) -> Statement:
    """What an honest trainer says of this dataset; nothing is trained."""
    from teeproof.cloud.job import Input, Job
    from teeproof.cloud.statements import Release
    from teeproof.evidence.binding import job_nonce
    from teeproof.proof.links import Material, Subject
    from teeproof.training.findings import root_of
    from teeproof.training.statements import (
        PAYOUT,
        Accuracy,
        LossAt,
        RightAt,
        Source,
        TensorSaid,
        Training,
    )
    from tests.data.scenes import inside, validator

    said, recipe, payout = dataset.predicate, {"epochs": "1"}, "0x" + "ab" * 20
    held, root, challenge = said.terms.held_out, dataset.subjects[0], bytes(range(32))
    job = Job(
        purpose="train",
        files=tuple(sorted(part.file for part in said.parts)),
        parameters=recipe | {PAYOUT: payout},
        materials=(
            Input(role="dataset", digest=root.sha256),
            Input(role="dataset-statement", digest=dataset.name),
            Input(role="held-out", digest=held),
        ),
    )
    me, kms = inside().boot(nonce=job_nonce(job.digest, nonce=challenge)), validator()
    granted = Subject({"sha256": "ab" * 32}, name="grant")
    release = Release(
        author=kms.name, decision="released", code="ok", detail="", job=job, workload=me.name,
        compose_hash=inside().manifest.compose_hash, challenge=challenge.hex(), files=(), state=1,
    )  # fmt: skip
    keys = Statement.of(release, subjects=(granted,))
    training = Training(
        author=me.name,
        materials=(
            Material(root.digest, role="dataset", statement=dataset.name),
            Material({"sha256": held[7:]}, role="held-out"),
            Material(granted.digest, role="keys", statement=keys.name),
        ),
        job=job, challenge=challenge.hex(), release=keys.name,
        sources=tuple(Source(p.contribution, p.file, p.records - 1) for p in said.parts),
        left_out=len(said.parts), parameters=recipe, libraries={}, processor="none",
        summary={"global_step": "9"},
        before=Accuracy(0, 60), after=Accuracy(59, 60), chain="ab" * 32, payout=payout,
        losses=(LossAt(4, "1.500000"), LossAt(9, "0.250000")), looks=(RightAt(4, 30),),
        tensors=(TensorSaid("embed.weight", "F32", (8, 4), "cd" * 32),), texts={"format": "pt"},
    )  # fmt: skip
    weights = root_of(training, ())
    assert weights is not None
    made = Statement.of(training, subjects=(Subject({"sha256": weights[7:]}, name="model"),))
    for who, what in ((kms, keys), (me, made)):
        store.add_identity(who.record.encode(), who.blobs)
        store.add_statement(who.sign(what).encode())
    return made


def _answer() -> Truth:
    from teeproof.core.clock import wall_clock
    from tests.inference.serving import policy
    from tests.inference.test_checks import SERVER, said, signed

    store = MemorySource()
    store.add_identity(SERVER.record.encode(), SERVER.blobs)
    receipt = signed(said())
    store.add_statement(receipt.encode())
    return _truth(store, receipt.id, now=wall_clock(), policy=policy())


def _agents() -> Iterator[Truth]:
    from teeproof.agents.statements import Recheck, recheck_subject
    from teeproof.core.clock import wall_clock
    from teeproof.evidence.collect.simulated import SimulatedAttester
    from teeproof.proof.links import Material
    from teeproof.proof.workload import Identity
    from tests.proof.people import platform, policy

    store, attester = MemorySource(), SimulatedAttester(platform(), now=wall_clock)
    me = Identity.boot(attester, roles=["chain"], store=store)
    first = _action(me, None)
    second = _action(me, first)
    ending = second.predicate.ending
    again = Recheck(
        author=me.name, action=ending.action, outcome="traded", detail="", effect=ending.effect,
        materials=(
            Material({"sha256": ending.digest.hex()}, role="action", statement=second.name),
        ),
    )  # fmt: skip
    recheck = me.keep(Statement.of(again, subjects=(recheck_subject(again),))).statement
    for root in (second, recheck):
        yield _truth(store, root.id, now=wall_clock(), policy=policy())


def _action(me: Any, before: Statement | None) -> Statement:
    """A trade, the first of this agent or the one after another."""
    from teeproof.agents import answers
    from teeproof.agents.authority import agent_address, sign_trade
    from teeproof.agents.provenance import provenance_of
    from teeproof.agents.records import Answer, Effect, Ending, Intent
    from teeproof.agents.rules import decide
    from teeproof.agents.statements import (
        Action,
        agent_digest,
        materials_of,
        subjects_of,
        turn_digest,
    )
    from teeproof.core.digests import sha256
    from tests.agents.people import ORDER, TEXT, WEIGHTS, facts, instruction, mandate, response
    from tests.inference.test_checks import SERVER, said, signed

    by, agent, number = mandate(), agent_address(me.record) or "", 1 if before is None else 2
    name = agent_digest(chain_id=by.chain_id, fund=by.fund, agent=agent)
    turn = named(turn_digest(name, number))
    asked, answered = answers.request_of(TEXT, turn=turn, mandate=by).decode(), response(ORDER)
    _, usage, stream, _ = said()
    receipt = signed([], event_log=[
        {"type": "request.received", "body_hash": named(sha256(asked.encode()))},
        {"type": "x.model", "digest": WEIGHTS},
        usage, stream,
        {"type": "response.returned", "body_hash": named(sha256(answered.encode()))},
    ])  # fmt: skip
    me.store.add_identity(SERVER.record.encode(), SERVER.blobs)
    me.store.add_statement(receipt.encode())
    answer = Answer(request=asked, response=answered, receipt=receipt.name, model=WEIGHTS)
    ask, found = instruction(), facts()
    result = decide(by, turn=turn, instruction=ask, answer=answer, facts=found)
    assert result.decision == "trade"
    assert result.trade is not None
    intent = Intent(
        agent=agent, number=number,
        previous=name if before is None else named(before.predicate.ending.digest),
        journal=named(bytes(32)), instruction=ask, mandate=by.digest, answer=answer,
        order=result.order, facts=result.facts, findings=result.findings, decision="trade",
        trade=result.trade, provenance=provenance_of(ask, answer, found),
    )  # fmt: skip
    effect = Effect(
        signature=sign_trade(me.keyring, intent, mandate=by).hex(), tx="0x" + "ab" * 32, block=7,
        block_hash="0x" + "cd" * 32, gave=result.trade.amount, got=result.trade.min_out,
    )  # fmt: skip
    ending = Ending(
        action=named(intent.digest), outcome="traded", rules=(), detail="", effect=effect,
        journal=named(bytes(32)),
    )  # fmt: skip
    action = Action(
        author=me.name, mandate=by, intent=intent, ending=ending,
        materials=materials_of(intent, previous=None if before is None else before.name),
    )  # fmt: skip
    kept: Statement = me.keep(
        Statement.of(action, subjects=subjects_of(by, intent, ending))
    ).statement
    return kept

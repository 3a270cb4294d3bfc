"""A log keeps its promise: it publishes on time, has witnesses cosign, and says what fails."""

from __future__ import annotations

import threading
import time

import pytest

from teeproof.core.errors import Unavailable, Usage
from teeproof.proof.log.formats.cosignature import Cosigner, cosigned_at
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.formats.tlogproof import verify
from teeproof.proof.log.http.asking import Witnesses
from teeproof.proof.log.http.client import LogClient
from teeproof.proof.log.http.publishing import Gathered, Publisher, stated_delay
from teeproof.proof.log.http.server import LogApp
from teeproof.proof.log.storage.log import Log
from teeproof.proof.witness.app import App
from teeproof.proof.witness.client import Asked
from teeproof.proof.witness.witness import Witness
from tests.proof.log.http.httplog import (
    ORIGIN,
    TOKEN,
    TOKENS,
    running,
    served,
    statement,
    statement_id,
)

NOW = 2_000_000_000


class Lines:
    """What the operator is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def __call__(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))

    def of(self, event: str) -> list[dict[str, object]]:
        return [fields for name, fields in self.events if name == event]


@pytest.fixture
def log(tmp_path):
    with Log.create(tmp_path / "log", origin=ORIGIN, seed=b"\x07" * 32) as made:
        yield made


@pytest.fixture
def witness(tmp_path, log):
    """A witness of the log, served; its cosigner and its address."""
    cosigner = Cosigner("witness.example/w1", b"\x09" * 32)
    with (
        Witness.open(tmp_path / "witness", cosigner, logs=[log.verifier]) as made,
        running(App(made)) as url,
    ):
        yield Asked(url, cosigner.verifier)


def append(log: Log, *numbers: int) -> None:
    for n in numbers:
        log.append(
            kind=1,
            statement_id=statement_id(statement(n)),
            identity=b"i" * 32,
            seal=bytes(32),
            record=statement(n),
        )


@pytest.mark.parametrize(
    ("every", "delay"), [(0.01, 10), (1.0, 10), (1.05, 11), (60.0, 600), (86_400.0, 864_000)]
)
def test_the_stated_delay_leaves_room_for_ten_intervals(every, delay):
    assert stated_delay(every) == delay


@pytest.mark.parametrize("every", [0.0, -1.0, 0.009, 86_401.0, float("nan"), float("inf")])
def test_an_interval_that_keeps_no_promise_is_refused(log, every):
    with pytest.raises(Usage) as error:
        Publisher(log, every=every)
    assert error.value.code == "interval_out_of_range"


def test_only_something_new_is_published(log):
    publisher = Publisher(log)
    assert publisher.publish().checkpoint.size == 0
    assert publisher.publish() is None
    append(log, 1, 2)
    assert publisher.publish().checkpoint.size == 2
    assert publisher.publish() is None


def test_what_waits_longer_than_promised_is_behind_until_it_is_published(log, monkeypatch):
    now = [100.0]
    publisher = Publisher(log, every=1.0, clock=lambda: now[0])
    publisher.publish()
    append(log, 1)

    def refuse() -> None:
        raise Unavailable("the disk is full", code="log_disk")

    with monkeypatch.context() as patch:
        patch.setattr(log, "publish", refuse)
        for _ in range(3):
            with pytest.raises(Unavailable):
                publisher.publish()
        assert not publisher.behind
        now[0] += publisher.delay + 1
        assert publisher.behind
    publisher.publish()
    assert not publisher.behind


def test_a_witness_cosigns_what_is_published(log, witness):
    say = Lines()
    asking = Witnesses([witness], prove=log.consistency_proof)
    publisher = Publisher(log, gather=asking, say=say)
    for numbers in ((1, 2, 3), (4, 5)):
        append(log, *numbers)
        publisher.publish()
        assert publisher.cosign()
        signed = log.checkpoint()
        (line,) = [line for line in signed.note.signatures if witness.key.owns(line)]
        assert cosigned_at(signed.note.text, line, witness.key)
    assert [event["size"] for event in say.of("cosigned")] == [3, 5]
    assert asking.keys == (witness.key.text(),)


def test_who_has_cosigned_is_not_asked_again(log, witness):
    calls = []
    asking = Witnesses([witness], prove=log.consistency_proof)

    def counted(signed):
        calls.append(signed.checkpoint.size)
        return asking(signed)

    publisher = Publisher(log, gather=counted)
    append(log, 1)
    publisher.publish()
    assert publisher.cosign()
    assert publisher.cosign()
    assert calls == [1]


def test_a_log_that_starts_again_gathers_no_second_cosignature(log, witness):
    append(log, 1)
    for _ in range(3):
        publisher = Publisher(log, gather=Witnesses([witness], prove=log.consistency_proof))
        publisher.publish()
        assert publisher.cosign()
    assert len(log.checkpoint().note.signatures) == 2


def test_a_witness_that_is_gone_is_complained_of_and_stops_nothing(log, witness):
    say = Lines()
    gone = Asked("http://127.0.0.1:9", Cosigner("witness.example/w2", b"\x0a" * 32).verifier)
    publisher = Publisher(
        log, gather=Witnesses([witness, gone], prove=log.consistency_proof), say=say
    )
    append(log, 1)
    publisher.publish()
    assert not publisher.cosign()
    assert len(log.checkpoint().note.signatures) == 2, "the log's and the first witness's"
    (complaint,) = say.of("not-cosigned")
    assert complaint["why"].startswith("witness.example/w2 witness_unavailable")


def test_log_that_asks_with_a_fork_gets_no_cosignature(tmp_path, log, witness):
    append(log, 1, 2)
    log.publish()
    assert Witnesses([witness], prove=log.consistency_proof)(log.checkpoint()).lines
    with Log.create(tmp_path / "fork", origin=ORIGIN, seed=b"\x07" * 32) as fork:
        append(fork, 3, 4)
        fork.publish()
        gathered = Witnesses([witness], prove=fork.consistency_proof)(fork.checkpoint())
    assert gathered.lines == ()
    (complaint,) = gathered.complaints
    assert "witness_refused" in complaint


def test_publishing_does_not_wait_for_a_witness(log):
    release, asked = threading.Event(), threading.Event()

    def slow(_signed):
        asked.set()
        assert release.wait(60)
        return Gathered(())

    publisher = Publisher(log, every=0.01, gather=slow)
    publisher.start()
    try:
        assert asked.wait(60)
        append(log, 1)
        until(lambda: log.published_size == 1)
    finally:
        release.set()
        publisher.stop()


def test_a_step_that_fails_is_said_and_tried_again(log, monkeypatch):
    say, fail = Lines(), [3]
    publish = log.publish

    def sometimes():
        fail[0] -= 1
        if fail[0] >= 0:
            raise (Unavailable("the disk is full", code="log_disk") if fail[0] else OSError("x"))
        return publish()

    monkeypatch.setattr(log, "publish", sometimes)
    publisher = Publisher(log, every=0.01, say=say)
    append(log, 1)
    publisher.start()
    until(lambda: log.published_size == 1)
    publisher.stop()
    assert [event["error"] for event in say.of("failed")] == ["log_disk", "log_disk", "OSError"]
    assert "x" not in str(say.of("failed")[-1].values())


def test_stopping_publishes_what_is_left(log):
    publisher = Publisher(log, every=3600.0)
    publisher.start()
    until(lambda: publisher.publish() is None)
    append(log, 1)
    publisher.stop()
    assert log.published_size == 1


def test_the_whole_way_from_an_append_to_a_witnessed_proof(tmp_path, log, witness):
    policy = TlogPolicy.parse(
        f"log {log.verifier.text()}\nwitness w {witness.key.text()}\nquorum w\n"
    )

    def accept(signed):
        return policy.judge(signed, now=NOW).quorum

    asking = Witnesses([witness], prove=log.consistency_proof)
    publisher = Publisher(log, every=0.02, gather=asking)
    app = LogApp(log, tokens=TOKENS, publisher=publisher, witnesses=asking.keys, accept=accept)
    with running(app) as url:
        publisher.start()
        with LogClient(url, log.verifier, token=TOKEN) as client:
            promise = client.append(statement())
            proof = client.wait_included(promise, accept=accept)
            again, _ = client.prove(promise.id)
        publisher.stop()
    for made in (proof, again):
        judged = verify(made, promise.entry, policy=policy, now=NOW)
        assert judged.quorum
        assert judged.time is not None


def test_a_served_log_publishes_by_itself(tmp_path):
    with served(tmp_path / "log", every=0.02) as made, made.client(sleep=time.sleep) as client:
        assert client.wait_included(client.append(statement())).index == 0


def until(true) -> None:
    """Wait until something is so; a test that waits for ever has failed."""
    for _ in range(6000):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("it never came true")

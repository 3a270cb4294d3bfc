"""The verifier's parts: what is kept, how much is held of bodies, what a worker answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from teeproof.cli.evidence.worker import judge
from teeproof.cloud.verifier.bodies import Bodies
from teeproof.cloud.verifier.judging import Question, answer, read_answer
from teeproof.cloud.verifier.kept import Kept, Verdicts
from teeproof.cloud.verifier.requests import Asked, asked_of_dstack
from teeproof.core import strictjson
from teeproof.core.clock import to_epoch
from teeproof.core.errors import Error, Malformed, TooLarge, Unavailable, Usage
from teeproof.web.asgi import Disconnected, Request
from tests.evidence.scenes import NOW, evidence


def kept(number: int, size: int = 10) -> Kept:
    return Kept(key=f"sha256:{number}", body=b"x" * size)


def test_what_was_used_longest_ago_is_forgotten_first():
    verdicts = Verdicts(most=2)
    verdicts.keep(b"a", kept(1))
    verdicts.keep(b"b", kept(2))
    assert verdicts.answer(b"a") == kept(1)
    verdicts.keep(b"c", kept(3))
    assert verdicts.answer(b"b") is None
    assert verdicts.by_key("sha256:2") is None
    assert verdicts.by_key("sha256:1") == kept(1)
    assert len(verdicts) == 2


def test_client_fills_the_memory_of_verdicts():
    verdicts = Verdicts(most_bytes=100)
    for number in range(1000):
        verdicts.keep(b"%d" % number, kept(number, 30))
    assert len(verdicts) == 3
    verdicts.keep(b"huge", kept(-1, 101))
    assert verdicts.answer(b"huge") is None
    assert len(verdicts) == 3


def test_one_question_is_kept_once_and_two_may_have_one_answer():
    verdicts = Verdicts(most=3)
    verdicts.keep(b"a", kept(1))
    verdicts.keep(b"a", kept(2))
    assert (len(verdicts), verdicts.by_key("sha256:1")) == (1, None)
    verdicts.keep(b"b", kept(2))
    verdicts.keep(b"c", kept(3))
    verdicts.keep(b"d", kept(4))
    assert verdicts.answer(b"a") is None
    assert verdicts.by_key("sha256:2") == kept(2)


def test_every_input_of_an_answer_is_in_the_question_s_digest():
    asked = Asked(files=(b"a", b"b"))
    base = {"policy": "p", "time": "at 1", "archive": "x"}
    digests = {
        asked.digest(**base),
        asked.digest(**(base | {"policy": "q"})),
        asked.digest(**(base | {"time": "at 2"})),
        asked.digest(**(base | {"archive": "y"})),
        Asked(files=(b"ab",)).digest(**base),
        Asked(files=(b"b", b"a")).digest(**base),
    }
    assert len(digests) == 6


def body_of(bodies: Bodies, *parts: bytes, announced: bytes | None = None) -> bytes:
    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "raw_path": b"/", "query_string": b"",
        "headers": [(b"content-length", announced)] if announced else [],
    }  # fmt: skip
    messages = [
        {"type": "http.request", "body": part, "more_body": at < len(parts) - 1}
        for at, part in enumerate(parts)
    ]
    queue = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(queue, {"type": "http.disconnect"})

    async def read() -> bytes:
        async with bodies.body_of(Request(scope, receive), receive) as body:
            return body

    return asyncio.run(read())


def test_bodies_are_bounded_each_and_all_together():
    bodies = Bodies(limit=10, held=15)
    assert body_of(bodies, b"12345", b"67890") == b"1234567890"
    for parts in ((b"12345", b"678901"), (b"x" * 11,)):
        with pytest.raises(TooLarge):
            body_of(bodies, *parts)
    with pytest.raises(TooLarge):
        body_of(bodies, b"1", announced=b"11")
    assert bodies.left == 15


def test_where_there_is_no_room_a_client_is_told_to_come_again():
    bodies = Bodies(limit=10, held=4)
    with pytest.raises(Unavailable) as caught:
        body_of(bodies, b"12", b"345")
    assert caught.value.code == "verifier_busy"
    assert bodies.left == 4


def test_a_client_who_leaves_gives_its_room_back():
    bodies = Bodies(limit=10, held=10)
    with pytest.raises(Disconnected):
        body_of(bodies)
    assert bodies.left == 10


def test_a_worker_answers_with_a_verdict_or_with_the_error_that_it_met():
    good = Question(files=(evidence().quote,), policy=None, at=to_epoch(NOW)).encode()
    verdict = strictjson.loads(read_answer(answer(good, judge)), limit=1 << 20)
    assert verdict["type"] == "urn:teeproof:verdict:v1"
    for files, kind, code in (
        ((b"nothing",), Malformed, "file_unknown"),
        ((b"\xff" * (5 << 20),), TooLarge, "too_large"),
        ((b"[]",), Error, None),
    ):
        question = Question(files=files, policy=None, at=to_epoch(NOW)).encode()
        with pytest.raises(kind) as caught:
            read_answer(answer(question, judge))
        assert type(caught.value).__module__ == "teeproof.core.errors"
        assert code in (None, caught.value.code)


def test_a_fault_of_ours_is_an_answer_without_its_words():
    def broken(*_: object) -> dict[str, Any]:
        raise RuntimeError("a secret")

    question = Question(files=(b"x",), policy=None, at=1).encode()
    for data in (question, b"no question"):
        with pytest.raises(Error) as caught:
            read_answer(answer(data, broken))
        assert caught.value.code == "internal"
        assert "secret" not in str(caught.value.to_json())


def test_a_policy_that_a_worker_cannot_read_is_an_error():
    question = Question(files=(b"x",), policy=b"debuq = false", at=1).encode()
    with pytest.raises(Usage):
        read_answer(answer(question, judge))


def test_of_dstack_s_request_only_what_is_evidence_is_read():
    asked = asked_of_dstack(
        b'{"quote":"00","event_log":"[]","vm_config":null,"tcb_info":{},"debug":true}'
    )
    assert asked.files == (b'{"event_log":"[]","quote":"00"}',)
    assert [remark.partition(" ")[0] for remark in asked.remarks] == ["debug"]
    asked = asked_of_dstack(b'{"quote":"00","attestation":"0102","pccs_url":"http://x"}')
    assert asked.files == (b'{"attestation":"0102"}',)
    assert [remark.partition(" ")[0] for remark in asked.remarks] == ["pccs_url"]

"""Fuzz targets for the verifier's service: requests, dstack's requests, what a worker is sent."""

from __future__ import annotations

import base64
import json
from contextlib import suppress

from teeproof.cli.evidence.worker import judge
from teeproof.cloud.verifier.judging import Question, answer, read_answer
from teeproof.cloud.verifier.requests import MAX_FILES, asked_as_json, asked_of_dstack
from teeproof.core import strictjson
from teeproof.core.clock import to_epoch
from teeproof.core.errors import Error, Malformed, Usage
from tests.evidence.scenes import NOW, evidence


def fuzz_verifier_request(data: bytes) -> None:
    """What is taken has files, each with bytes."""
    with suppress(Malformed, Usage):
        asked = asked_as_json(data)
        assert 1 <= len(asked.files) <= MAX_FILES
        assert all(asked.files)


def fuzz_dstack_request(data: bytes) -> None:
    """What is taken is one file that holds nothing but evidence."""
    with suppress(Malformed):
        (file,) = asked_of_dstack(data).files
        names = set(strictjson.loads(file, limit=1 << 24))
        assert names <= {"quote", "event_log", "vm_config"} or names == {"attestation"}


def fuzz_worker(data: bytes) -> None:
    """Whatever a client sends is a verdict or an error that says why, and no fault of ours."""
    question = Question(files=(data,), policy=None, at=to_epoch(NOW)).encode()
    body, met = b"", None
    try:
        body = read_answer(answer(question, judge))
    except Error as error:
        met = error
    if met is None:
        assert strictjson.loads(body, limit=1 << 22)["type"] == "urn:teeproof:verdict:v1"
    else:
        assert met.code != "internal", met.got


def _request() -> bytes:
    files = [base64.b64encode(evidence().quote).decode()]
    return json.dumps({"files": files, "policy": "strict", "at": 1_772_366_400}).encode()


def _response() -> bytes:
    log = (evidence().event_log or b"").decode()
    return json.dumps({"quote": evidence().quote.hex(), "event_log": log}).encode()


SEEDS = {
    "fuzz_verifier_request": lambda: [_request()],
    "fuzz_dstack_request": lambda: [_response(), b'{"attestation":"00"}'],
    "fuzz_worker": lambda: [evidence().quote, _response()],
}

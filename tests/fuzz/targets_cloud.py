"""Fuzz targets for the cloud: manifests, jobs, policies, requests, wiring, the agent, the state."""

from __future__ import annotations

import json
import socket
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from teeproof.cloud.guest import GuestAgent
from teeproof.cloud.inside import Inside, Peer, Wiring
from teeproof.cloud.job import Input, Job
from teeproof.cloud.kms.client import KmsClient
from teeproof.cloud.kms.policy import Permission, ReleasePolicy, Withdrawal
from teeproof.cloud.kms.requests import (
    Asked,
    RecipientRequest,
    WithdrawRequest,
    read_request,
    write_request,
)
from teeproof.cloud.kms.state import State
from teeproof.cloud.manifest import Manifest
from teeproof.cloud.owner import OwnerKey, verify_owned
from teeproof.cloud.statements import Erasure, Recipients, Release, Released
from teeproof.core.errors import Error, Malformed, NotAuthentic, TooLarge, Unavailable
from teeproof.evidence.collect.simulated import (
    Guest,
    SimulatedPlatform,
    application_policy,
)
from teeproof.evidence.eventlog.images import check_images
from teeproof.evidence.policy import parse_policy
from teeproof.proof.links import Subject
from teeproof.proof.statement import Statement

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_OWNER = OwnerKey(b"o" * 32)
_FILE, _HASH = "ab" * 16, "cd" * 32
_MANIFEST = Manifest("w", "a.b", ("--x", "$y"), {"SETTING": "text"})
_JOB = Job(
    purpose="train", files=(_FILE,), parameters={"seed": "7"},
    materials=(Input("held-out", f"sha256:{_HASH}"),),
)  # fmt: skip
_POLICY = ReleasePolicy(
    owner=_OWNER.public,
    grants=(
        Permission(purpose="validate", compose_hash=(_HASH,), standing=True),
        Permission(purpose="train", compose_hash=(_HASH,)),
    ),
    not_after=1_800_000_000,
)
_ORDER = Withdrawal(recipient=_HASH, file=_FILE, time=1_700_000_000)
_KEY = b"k" * 32
_ROWS = {"recipient/1": {"secret": "s"}, "withdrawn/2": {"owner": "o"}, "time": 7}


def fuzz_cloud_manifest(data: bytes) -> None:
    """A compose file is refused, or is the one file of its manifest, with its image pinned."""
    with suppress(Malformed, TooLarge):
        manifest = Manifest.parse(data)
        assert manifest.compose() == data
        assert check_images(data).state == "passed"


def fuzz_cloud_job(data: bytes) -> None:
    """A job is refused, or is exactly its own encoding."""
    with suppress(Malformed, TooLarge):
        assert Job.parse(data).encode() == data


def fuzz_cloud_policy(data: bytes) -> None:
    """A release policy is refused, or is exactly its own encoding."""
    with suppress(Malformed, TooLarge):
        assert ReleasePolicy.parse(data).encode() == data


def fuzz_cloud_requests(data: bytes) -> None:
    """A request is refused, or is one that writes back to the same bytes."""
    for kind in (RecipientRequest, WithdrawRequest):
        with suppress(Malformed, TooLarge):
            assert write_request(read_request(data, kind)) == data
    with suppress(Error):
        asked = Asked.parse(data)
        assert len({header.file_id for header in asked.headers}) == len(asked.headers) >= 1
        assert all(policy.digest == digest for digest, policy in asked.policies.items())


def fuzz_cloud_owned(data: bytes) -> None:
    """What passes as signed by an owner is what the owner signed."""
    with suppress(Malformed, NotAuthentic, TooLarge):
        found = verify_owned(data, _OWNER.public, kind=ReleasePolicy, what="policy")
        assert found == _POLICY


def fuzz_cloud_statements(data: bytes) -> None:
    """A statement of a KMS is refused, or is exactly its own encoding."""
    with suppress(Malformed):
        statement = Statement.parse(data)
        if not isinstance(statement.predicate, Recipients | Release | Erasure):
            return  # of a type that nobody here writes
        assert Statement.of(statement.predicate, subjects=statement.subjects).payload == data


def fuzz_cloud_wiring(data: bytes) -> None:
    """Wiring is refused, or leads to the manifest that was measured, whatever else it says."""
    place = _folder() / "wiring.json"
    place.write_bytes(data)
    with suppress(Error):
        module, inside = Inside.load(place)
        assert (module, inside.environment) == (_MANIFEST.module, dict(_MANIFEST.environment))


def fuzz_cloud_guest(data: bytes) -> None:
    """The agent answers whatever a workload writes, in HTTP, or hangs up."""
    agent = _agent()
    here, there = socket.socketpair()
    with here:
        here.settimeout(30)
        with suppress(OSError):  # what is longer than a socket holds is cut
            here.setblocking(False)
            here.send(data)
        here.setblocking(True)
        here.shutdown(socket.SHUT_WR)
        agent._turns.acquire()
        agent._serve(there)
        answer = b""
        with suppress(ConnectionResetError):  # it hung up on what it did not want to read
            while piece := here.recv(1 << 16):
                answer += piece
    if answer.startswith(b"HTTP/1.0 200"):
        assert isinstance(json.loads(answer.partition(b"\r\n\r\n")[2]), dict)


def fuzz_cloud_kms_answer(data: bytes) -> None:
    """A client takes no answer of a KMS at its word."""
    client = _client()
    client._asker = SimpleNamespace(get=lambda _: data, post=lambda *_: data)  # type: ignore[assignment]
    calls: list[Callable[[], Any]] = [
        lambda: client.recipient(_POLICY, owner=_OWNER),
        lambda: client.withdraw(_HASH, owner=_OWNER, file=_FILE),
    ]
    for call in calls:
        client._record = None
        try:
            call()
        except Error:
            continue
        raise AssertionError("nobody signed this")
    with suppress(Error):
        assert len(client.challenge()) == 32


def fuzz_cloud_state(data: bytes) -> None:
    """A state file is refused, or holds what was written or nothing at all."""
    place = _folder() / "state.sqlite"
    for path in _folder().glob("state.sqlite*"):
        path.unlink()
    place.write_bytes(data)
    state = None
    with suppress(NotAuthentic, Unavailable):
        state = State.open(place, key=_KEY)
        rows = {name: state.get(name) for name in _ROWS}
        assert rows == _ROWS or (state.version, set(rows.values())) == (0, {None})
        state.change({"time": 8, "recipient/1": None})
        assert (state.get("time"), state.get("recipient/1")) == (8, None)
    if state is not None:
        state.close()


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tp-fuzz-"))
    (folder / "compose.json").write_bytes(_MANIFEST.compose())
    return folder


@cache
def _agent() -> GuestAgent:
    vendor = SimulatedPlatform(b"v" * 32)
    machine = vendor.machine(guest=Guest(compose=_MANIFEST.compose()))
    collateral = cache(vendor.collateral)
    return GuestAgent(machine, _folder() / "agent.sock", collateral=collateral, now=lambda: _NOW)


@cache
def _client() -> KmsClient:
    policy = parse_policy(application_policy(SimulatedPlatform(b"v" * 32), compose_hash=[]))
    return KmsClient("http://127.0.0.1:9", policy=policy, now=lambda: _NOW)


def _requests() -> list[bytes]:
    from teeproof.cloud.kms.requests import ReleaseRequest
    from teeproof.core.sealed import PrivateRecipient
    from teeproof.core.sealed.keys import make_header
    from teeproof.core.sealed.recipients import X25519
    from teeproof.evidence.collect.simulated import SimulatedAttester
    from teeproof.proof.workload import Identity

    whom = PrivateRecipient(X25519, bytes(range(32))).public
    header, _ = make_header([whom], policy_digest=_POLICY.digest)
    attester = SimulatedAttester(SimulatedPlatform(b"v" * 32), now=lambda: _NOW)
    me = Identity.boot(attester, roles=["seal"], nonce="n", now=lambda: _NOW)
    release = ReleaseRequest(
        challenge="ab" * 32, job=_JOB, identity=msgspec.Raw(me.record.encode()),
        blobs={f"sha256:{_HASH}": b"evidence"}, policies=(_POLICY,), headers=(header.encode(),),
    )  # fmt: skip
    return [
        write_request(release),
        write_request(RecipientRequest(_POLICY, _OWNER.sign_text(_POLICY))),
        write_request(WithdrawRequest(_ORDER, _OWNER.sign_text(_ORDER))),
    ]


def _statements() -> list[bytes]:
    author, signature = f"sha256:{_HASH}", "ef" * 64
    made = (
        Recipients(
            author=author, recipient="r", policy=_POLICY, signature=signature, state=1
        ),
        Erasure(author=author, order=_ORDER, owner=_OWNER.public, signature=signature, state=2),
        Release(
            author=author, decision="refused", code="withdrawn", detail="d", job=_JOB,
            workload=author, compose_hash=_HASH, challenge="ab" * 32,
            files=(Released(file=_FILE, policy=author, recipient=_HASH),), state=3,
        ),
    )  # fmt: skip
    subjects = (Subject({"sha256": _HASH}),)
    return [Statement.of(one, subjects=subjects).payload for one in made]


def _wirings() -> list[bytes]:
    wiring = Wiring(
        compose=str(_folder() / "compose.json"), guest="/g", serve="/s", inputs="/in",
        outputs="/out", state="/state", peers={"log": Peer("http://x:1", token="t")},
    )  # fmt: skip
    return [msgspec.json.encode(wiring)]


def _questions() -> list[bytes]:
    calls = [
        ("/GetQuote", {"report_data": "ab" * 64}),
        ("/GetKey", {"path": "a", "purpose": "b", "algorithm": "ed25519"}),
        ("/GetKey", {"path": "\u00e9\ud800", "purpose": "\udfff"}),
        ("/Info", {}),
        ("/Version", {}),
        ("/Nothing", {}),
    ]
    bodies = [(path, json.dumps(body).encode()) for path, body in calls]
    return [
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        for path, body in bodies
    ] + [b"GET / HTTP/1.1\r\n\r\n", b"POST /Info HTTP/1.1\r\nContent-Length: -1\r\n\r\n"]


def _answers() -> list[bytes]:
    from teeproof.cloud.kms.service import described
    from teeproof.evidence.collect.simulated import SimulatedAttester
    from teeproof.proof.workload import Identity

    attester = SimulatedAttester(SimulatedPlatform(b"v" * 32), now=lambda: _NOW)
    me = Identity.boot(attester, now=lambda: _NOW)
    made = Statement.parse(_statements()[0])
    mine = msgspec.structs.replace(made.predicate, author=me.name)
    said = me.sign(Statement.of(mine, subjects=made.subjects))
    return [
        json.dumps(described(me)).encode(),
        json.dumps({"challenge": "ab" * 32, "until": 7}).encode(),
        json.dumps({"statement": json.loads(said.encode())} | described(me)).encode(),
    ]


def _states() -> list[bytes]:
    place = _folder() / "seed.sqlite"
    place.unlink(missing_ok=True)
    state = State.open(place, key=_KEY)
    state.change(_ROWS)
    state.close()
    good = place.read_bytes()
    with sqlite3.connect(place) as connection:
        connection.execute(
            "CREATE TRIGGER t BEFORE DELETE ON sealed BEGIN SELECT RAISE(IGNORE); END"
        )
    connection.close()
    return [good, place.read_bytes(), b""]


SEEDS = {
    "fuzz_cloud_manifest": lambda: [_MANIFEST.compose()],
    "fuzz_cloud_job": lambda: [_JOB.encode()],
    "fuzz_cloud_policy": lambda: [_POLICY.encode()],
    "fuzz_cloud_requests": _requests,
    "fuzz_cloud_owned": lambda: [_OWNER.sign(_POLICY).encode(), _OWNER.sign(_ORDER).encode()],
    "fuzz_cloud_statements": _statements,
    "fuzz_cloud_wiring": _wirings,
    "fuzz_cloud_guest": _questions,
    "fuzz_cloud_kms_answer": _answers,
    "fuzz_cloud_state": _states,
}

"""Fuzz targets for event logs and what surrounds them: compose files, documents, certificates."""

from __future__ import annotations

from contextlib import suppress

from teeproof.core.errors import Error
from teeproof.evidence import ratls
from teeproof.evidence.eventlog import app_facts, check_payloads, parse, replay, verify
from teeproof.evidence.eventlog.attestation import parse_attestation
from teeproof.evidence.eventlog.compose import parse_compose
from teeproof.evidence.eventlog.difference import first_difference
from teeproof.evidence.eventlog.images import check_images, images
from teeproof.evidence.eventlog.labels import label
from teeproof.evidence.eventlog.mrconfig import check_mrconfigid, mrconfigid_v3, parse_mr_config
from tests.evidence.eventlog import logs
from tests.evidence.eventlog.test_attestation import pack, scale
from tests.evidence.eventlog.test_mrconfig import document
from tests.evidence.test_ratls import made
from tests.vectors import records

_TRUE = logs.encode(logs.whole())
_MACHINE = logs.rtmrs(logs.whole())


def fuzz_event_log(data: bytes) -> None:
    """What is accepted has words, registers and no difference from itself."""
    with suppress(Error):
        events = parse(data)
        assert len(label(events)) == len(events)
        assert [len(register) for register in replay(events)] == [48] * 4
        assert first_difference(events, events) is None
        check_payloads(events)
        app_facts(events)


def fuzz_event_log_of_a_machine(data: bytes) -> None:
    """No log but the true one gives facts about a machine, and never other facts."""
    checks, facts = verify(data, rtmrs=_MACHINE)
    assert len(checks) == 6
    if facts is not None:
        assert facts.compose_hash == logs.COMPOSE_HASH
        assert facts.app_id == logs.APP_ID
        assert facts.key_provider_info == logs.PROVIDER
        assert facts.app_events == ()


def fuzz_compose(data: bytes) -> None:
    """What is accepted is checked for its images without another error."""
    check_images(data)
    with suppress(Error):
        parse_compose(data)


def fuzz_docker_compose_file(data: bytes) -> None:
    """A pinned image always ends with a digest."""
    with suppress(Error):
        for image in images(data.decode("utf-8", "replace")):
            assert not image.pinned or image.reference[-72:].startswith("@sha256:")


def fuzz_mr_config(data: bytes) -> None:
    """What is accepted has a compose hash; the check of its digest never raises."""
    check_mrconfigid(mrconfigid_v3(data), facts=None, document=data)
    with suppress(Error):
        assert len(parse_mr_config(data).compose_hash) == 32


def fuzz_attestation(data: bytes) -> None:
    """What is accepted gives a log that is parsed, or refused as any other."""
    with suppress(Error):
        found = parse_attestation(data)
        assert found.mr_config is None or isinstance(found.mr_config, bytes)
        parse(found.event_log)


def fuzz_ratls_certificate(data: bytes) -> None:
    """What is accepted is checked without another error."""
    with suppress(Error):
        found = ratls.parse(data)
        assert found.spki[0] == 0x30
        ratls.check_binding(found, expected_spki=found.spki)


def _logs() -> list[bytes]:
    real = [
        r.read("event_log.json") for r in records("dcap") if (r.path / "event_log.json").exists()
    ]
    return [_TRUE, logs.encode(logs.whole(logs.v2)), b"[]", *real]


def _composes() -> list[bytes]:
    body = b'{"runner":"docker-compose","docker_compose_file":"services:\\n  a:\\n    image: x:1"}'
    return [logs.COMPOSE, body]


def _yamls() -> list[bytes]:
    pinned = b"@sha256:" + b"ab" * 32
    return [
        b"services:\n  a:\n    image: x" + pinned + b"\n    volumes: [a, {type: image, source: y}]",
        b"x-a: [1, {b: 'c'}]\nservices: {a: {build: .}, b: {image: z}}\n",
    ]


SEEDS = {
    "fuzz_event_log": _logs,
    "fuzz_event_log_of_a_machine": _logs,
    "fuzz_compose": _composes,
    "fuzz_docker_compose_file": _yamls,
    "fuzz_mr_config": lambda: [document(), document(init_script_hashes=["66" * 32])],
    "fuzz_attestation": lambda: [scale(logs.whole()), pack(logs.whole(logs.v2))],
    "fuzz_ratls_certificate": lambda: [made()],
}

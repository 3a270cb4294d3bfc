"""Attacks on how a verifier is used: addresses to fetch from, and verdicts about something else."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from teeproof.core.errors import Malformed, NotAuthentic, Usage
from teeproof.evidence import eventlog
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.eventlog.mrconfig import parse_mr_config
from teeproof.evidence.policy import INTEL_ROOT, load_policy, parse_policy
from teeproof.evidence.simulated.guest import app_compose
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify
from tests.evidence.attacks import forge
from tests.evidence.attacks.court import accepted, but, quote_only, real, reference
from tests.evidence.attacks.forge import chain_of, mint, sgx, take_apart
from tests.evidence.scenes import (
    NOW,
    PLATFORM,
    REPORT_DATA,
    collateral,
    evidence,
    judge,
    opt_in,
    resigned,
    state,
)

CHECKLIST = {
    53: (
        "test_client_cannot_make_the_verifier_call_an_address",
        "test_client_cannot_name_a_collateral_service",
    ),
    54: (
        "test_client_cannot_pass_a_verdict_for_another_subject",
        "test_client_cannot_pass_a_verdict_reached_another_way",
        "test_client_cannot_pass_a_verdict_on_other_files_beside_the_quote",
    ),
}


class _Listener(BaseHTTPRequestHandler):
    calls: list[str]

    def do_GET(self) -> None:
        self.server.calls.append(self.path)  # type: ignore[attr-defined]
        self.send_response(404)
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def listener() -> Iterator[HTTPServer]:
    """A server of an attacker's, which notes who calls."""
    server = HTTPServer(("127.0.0.1", 0), _Listener)
    server.calls = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _address(server: HTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_client_cannot_make_the_verifier_call_an_address(listener: HTTPServer) -> None:
    # Everywhere a certificate or a document may name an address.
    address = _address(listener)
    where = x509.UniformResourceIdentifier(f"{address}/crl")
    access = x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(oid, where)
            for oid in (
                AuthorityInformationAccessOID.OCSP,
                AuthorityInformationAccessOID.CA_ISSUERS,
            )
        ]
    )
    points = x509.CRLDistributionPoints([x509.DistributionPoint([where], None, None, None)])
    leaf = mint(
        subject="SIMULATED SGX PCK Certificate",
        issuer=forge.PCK_CA.certificate.subject,
        signer=forge.PCK_CA.key,
        key=forge.PCK.key,
        extensions=[sgx(), (access, False), (points, False)],
    )
    fields = {name: f"{address}/{name}" for name in ("pccsUrl", "crlUrl", "$ref", "@context")}
    endorsements = resigned(
        collateral(),
        tcb_info=lambda document: document.update(fields),
        qe_identity=lambda document: document.update(fields),
    )
    honest = take_apart(PLATFORM.machine().quote(REPORT_DATA))
    quote = honest.but(chain=chain_of(leaf, forge.PCK_CA.certificate, forge.ROOT.certificate))
    accepted(quote_only(quote.quote(), endorsements))
    accepted(state("up-to-date"), policy=reference())
    assert listener.calls == []  # type: ignore[attr-defined]


def test_client_that_calls_is_noticed(listener: HTTPServer) -> None:
    # The test above can fail: a call to that address is seen.
    from urllib.error import HTTPError
    from urllib.request import urlopen

    with pytest.raises(HTTPError) as caught:
        urlopen(f"{_address(listener)}/crl")
    caught.value.close()
    assert listener.calls == ["/crl"]  # type: ignore[attr-defined]


def test_client_cannot_name_a_collateral_service() -> None:
    service = {"pccs_url": "http://169.254.169.254/latest/meta-data"}
    wire = collateral().to_json()
    assert Collateral.parse(json.dumps(wire)) == collateral()
    with pytest.raises(Malformed) as caught:
        Collateral.parse(json.dumps(wire | service))
    assert caught.value.code == "collateral_malformed"
    assert "unknown: pccs_url" in str(caught.value.got)

    with pytest.raises(Usage) as wrong:
        parse_policy('pccs_url = "http://169.254.169.254/"')
    assert wrong.value.code == "policy_malformed"

    log = evidence().event_log
    assert log is not None
    events: list[dict[str, Any]] = json.loads(log)
    with pytest.raises(Malformed) as caught:
        eventlog.parse(json.dumps([events[0] | service, *events[1:]]).encode())
    assert caught.value.code == "event_log_malformed"

    document = {"version": 3, "compose_hash": "00" * 32, "key_provider": "none"}
    parse_mr_config(json.dumps(document).encode())
    with pytest.raises(Malformed):
        parse_mr_config(json.dumps(document | service).encode())


def test_client_cannot_pass_a_verdict_for_another_subject() -> None:
    mine, other = judge(), judge(PLATFORM.machine().quote(bytes(64)), endorsements=collateral())
    assert mine.subject != other.subject
    mine.require_subject(str(mine.subject))
    with pytest.raises(NotAuthentic) as caught:
        mine.require_subject(str(other.subject))
    assert caught.value.code == "verdict_of_another_subject"
    # A verdict that was saved and edited is no better: it names its subject in words only.
    saved = json.dumps(mine.to_json())
    assert Verdict.from_json(saved) == mine
    with pytest.raises(NotAuthentic):
        Verdict.from_json(saved).require_subject(str(other.subject))


def test_client_cannot_pass_a_verdict_reached_another_way() -> None:
    usual, given = judge(), evidence()
    policy = opt_in()
    assert judge().key == usual.key
    newer = PLATFORM.collateral(NOW - timedelta(days=1))
    other = {
        "policy": verify(given, policy=policy.with_(debug=False), now=NOW),
        "name of the policy": verify(given, policy=policy.with_(name="other"), now=NOW),
        "roots": verify(given, policy=policy.with_(roots=[INTEL_ROOT]), now=NOW),
        "simulators": verify(given, policy=policy.with_(simulated_roots=[]), now=NOW),
        "endorsements": verify(given, policy=policy, now=NOW, collateral=newer),
        "T": verify(given, policy=policy, now=NOW + timedelta(seconds=1)),
        "one path": verify(given, policy=policy, now=NOW, both_paths=False),
        "version": msgspec.structs.replace(
            usual, provenance=msgspec.structs.replace(usual.provenance, verifier="teeproof 99")
        ),
        "subject": judge(PLATFORM.machine().quote(bytes(64)), endorsements=collateral()),
    }
    keys = {name: verdict.key for name, verdict in other.items()}
    assert usual.key not in keys.values()
    assert len(set(keys.values())) == len(keys)


def test_client_cannot_pass_a_verdict_on_other_files_beside_the_quote() -> None:
    # The quote is the same, and so is the subject; what the other files say is not.
    given = PLATFORM.machine().evidence(REPORT_DATA, now=NOW)
    good = judge(given)
    swapped = {
        "compose file": but(given, compose=app_compose("another")),
        "no compose file": but(given, compose=None),
        "no log": but(given, event_log=None),
        "broken log": but(given, event_log=b"[]"),
    }
    assert good.ok
    for name, other in swapped.items():
        verdict = judge(other)
        assert verdict.subject == good.subject, name
        assert verdict.key != good.key, name
    replayed = verify(given, policy=opt_in(), now=NOW, seen={REPORT_DATA})
    assert not replayed.ok
    assert replayed.key != good.key


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from _paths(value[key], (*path, key))
    elif isinstance(value, list) and value:
        yield from _paths(value[0], (*path, 0))


def _put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    document = copy.deepcopy(document)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return document


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("field", ["tcb_info", "qe_identity"])
def test_host_cannot_put_words_into_the_mouth_of_the_second_path(field: str) -> None:
    # dcap-qvl's refusals are text, and they quote what they refuse. Of SGX it is the only judge.
    record, given = real("sgx-v3-00a067")
    assert given.collateral is not None
    words = "Debug mode is enabled"
    quote = bytearray(given.quote)
    quote[48 + 48] |= 0x02  # so that the words would be true
    quote[48 + 64 : 48 + 96] = b"\xee" * 32  # another enclave
    honest = json.loads(getattr(given.collateral, field))
    tried = 0
    for path in _paths(honest):
        for value in (words, [words], {words: words}):
            forged = json.dumps(_put(honest, path, value)).encode()
            endorsements = given.collateral.replace(**{field: forged})
            verdict = verify(
                quote_only(bytes(quote), endorsements),
                policy=load_policy("genuine"),
                now=record.now,
            )
            assert verdict.exit_code == 2, (path, value)
            assert (verdict.level, verdict.facts) == (None, {})
            tried += 1
    assert tried > 50


def test_client_policy_for_enclaves_accepts_no_domain_that_its_host_may_enter() -> None:
    policy = load_policy("sgx").with_(roots=[], simulated_roots=[PLATFORM.root_fingerprint])
    for name in ("migratable", "service-td"):
        assert judge(state(name), policy=policy).exit_code == 4, name

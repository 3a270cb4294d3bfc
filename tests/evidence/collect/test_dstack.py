"""The dstack socket: what a good agent gives, in every dialect, and what a real client gets."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import dcap_qvl
import dstack_sdk
import pytest

from teeproof.core.digests import sha256
from teeproof.core.errors import NotAuthentic, Unavailable, Usage
from teeproof.evidence.collect import Attester
from teeproof.evidence.collect.dstack import DSTACK_SOCKETS, TAPPD_SOCKETS, DstackAttester
from teeproof.evidence.collect.dstack import default_endpoint as find
from teeproof.evidence.collect.simulated import Guest, SimulatedPlatform
from teeproof.evidence.tdx import quote as tdx_quote
from tests.sim import guest_agent as sim

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PLATFORM = SimulatedPlatform(bytes(range(32)))
NONCE = bytes(range(64))

Listen = Callable[..., sim.GuestAgent]


def on_platform(guest: Guest | None = None, *, compose: bytes | None = None) -> sim.Quoter:
    """Return an agent's source of quotes: a machine of the simulated platform."""
    machine = PLATFORM.machine(guest=guest or Guest())

    def quote(report_data: bytes) -> sim.Quoted:
        evidence = machine.evidence(report_data, now=NOW)
        document = evidence.mr_config
        return sim.Quoted(
            quote=evidence.quote,
            event_log=(evidence.event_log or b"").decode(),
            vm_config=json.dumps({"mr_config": document.decode()} if document else {}),
            compose=(evidence.compose if compose is None else compose or b"").decode(),
        )

    return quote


@pytest.fixture
def listen(tmp_path: Path) -> Iterator[Listen]:
    with ExitStack() as stack:

        def start(quoter: sim.Quoter | None = None, **options: object) -> sim.GuestAgent:
            path = tmp_path / f"{len(list(tmp_path.iterdir()))}.sock"
            agent = sim.GuestAgent(path, quoter or on_platform(), **options)  # type: ignore[arg-type]
            return stack.enter_context(agent)

        yield start


@pytest.mark.parametrize(
    ("spoken", "found", "version"),
    [
        ("0.5-early", "0.5", None),
        ("0.5", "0.5", "0.5.11"),
        ("0.6", "0.6", "0.6.0"),
        ("tappd", "tappd", None),
        ("tappd-early", "tappd", None),
    ],
)
def test_each_dialect_is_found_out_by_asking_and_gives_a_quote_for_our_data(
    listen: Listen, spoken: sim.Dialect, found: str, version: str | None
):
    attester = DstackAttester(listen(dialect=spoken).path)
    assert attester.dialect is None

    evidence = attester.attest(NONCE)

    assert (attester.dialect, attester.version) == (found, version)
    assert tdx_quote.parse(evidence.quote).body.report_data == NONCE


def test_the_evidence_is_verified_by_an_independent_verifier_under_its_own_root(listen: Listen):
    evidence = DstackAttester(listen().path).attest(NONCE)

    collateral = json.dumps(PLATFORM.collateral(NOW).to_json())
    report = dcap_qvl.verify_with_root_ca(
        evidence.quote,
        dcap_qvl.QuoteCollateralV3.from_json(collateral),
        PLATFORM.root_der,
        int(NOW.timestamp()),
    )

    assert report.status == "UpToDate"


@pytest.mark.parametrize("dialect", ["0.5", "0.6"])
def test_the_unmodified_sdk_gets_the_same_quote_and_event_log_as_we_do(
    listen: Listen, dialect: sim.Dialect
):
    agent = listen(recorded_for(NONCE), dialect=dialect)

    theirs = dstack_sdk.DstackClient(agent.path).get_quote(NONCE)
    info = dstack_sdk.DstackClient(agent.path).info()
    ours = DstackAttester(agent.path).attest(NONCE)

    assert ours.quote == theirs.decode_quote()
    assert ours.event_log == theirs.event_log.encode()
    assert ours.compose == info.tcb_info.app_compose.encode()
    assert theirs.report_data == NONCE.hex()


def test_the_unmodified_tappd_client_gets_the_same_quote_and_event_log_as_we_do(listen: Listen):
    agent = listen(recorded_for(NONCE), dialect="tappd")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        theirs = dstack_sdk.TappdClient(agent.path).tdx_quote(NONCE, "raw")
        info = dstack_sdk.TappdClient(agent.path).info()
    ours = DstackAttester(agent.path).attest(NONCE)

    assert ours.quote == theirs.decode_quote()
    assert ours.event_log == theirs.event_log.encode()
    assert ours.compose == info.tcb_info.app_compose.encode()


def recorded_for(report_data: bytes) -> sim.Quoter:
    """ECDSA is random: two clients see the same quote only if it was made once."""
    return sim.recorded(on_platform()(report_data))


def test_a_real_recorded_answer_is_read_as_its_files_say(listen: Listen, vectors: Path):
    folder = vectors / "dcap" / "dstack-quote-report"
    answer = json.loads((folder / "getquote_response.json").read_bytes())
    agent = listen(sim.recorded(sim.from_response(answer)))

    evidence = DstackAttester(agent.path).attest(bytes.fromhex(answer["report_data"]))

    assert evidence.quote == (folder / "quote.bin").read_bytes()
    assert json.loads(evidence.event_log or b"") == json.loads(
        (folder / "event_log.json").read_bytes()
    )
    assert evidence.compose is None


def test_a_real_recorded_answer_is_refused_for_any_other_data(listen: Listen, vectors: Path):
    folder = vectors / "dcap" / "dstack-tdx-lite"
    answer = json.loads((folder / "getquote_response.json").read_bytes())
    agent = listen(sim.recorded(sim.from_response(answer)), dialect="0.6")

    with pytest.raises(NotAuthentic) as caught:
        DstackAttester(agent.path).attest(NONCE)

    assert caught.value.code == "agent_report_data"
    assert (caught.value.expected, caught.value.got) == (NONCE.hex(), answer["report_data"])


def test_clients_that_race_each_get_the_quote_for_their_own_data(listen: Listen):
    attester = DstackAttester(listen().path)
    asked = [bytes([number]) * 64 for number in range(12)]

    with ThreadPoolExecutor(6) as pool:
        given = list(pool.map(lambda data: attester.attest(data).quote, asked))

    assert [tdx_quote.parse(quote).body.report_data for quote in given] == asked


def test_it_is_an_attester_and_its_evidence_says_where_it_came_from(listen: Listen):
    attester = DstackAttester(listen().path)

    assert isinstance(attester, Attester)
    assert (
        attester.attest(NONCE).name == attester.name == f"dstack guest agent at {attester.endpoint}"
    )


def test_two_quotes_are_asked_for_with_one_look_at_the_version(listen: Listen):
    agent = listen()
    attester = DstackAttester(agent.path)

    attester.attest(NONCE)
    attester.attest(bytes(64))

    assert agent.asked == ["/Version", "/GetQuote", "/Info", "/GetQuote", "/Info"]


@pytest.mark.parametrize("length", [0, 32, 63, 65, 128])
def test_report_data_of_another_length_is_refused_before_anybody_is_asked(length: int):
    with pytest.raises(Usage) as caught:
        DstackAttester("/nowhere.sock").attest(bytes(length))

    assert (caught.value.code, caught.value.got) == ("report_data_size", f"{length} bytes")


def test_the_compose_file_comes_along_byte_for_byte_when_the_log_measures_it(listen: Listen):
    guest = Guest(compose=b'{ "name":\t"caf\xc3\xa9" }\n')

    evidence = DstackAttester(listen(on_platform(guest)).path).attest(NONCE)

    assert evidence.compose == guest.compose
    assert sha256(evidence.compose or b"") == guest.compose_hash


def test_host_swaps_the_compose_file_and_it_is_left_out_and_logged(
    listen: Listen, caplog: pytest.LogCaptureFixture
):
    guest = Guest(compose=b'{"name": "one"}')
    agent = listen(on_platform(guest, compose=b'{"name":"one"}'))

    with caplog.at_level(logging.WARNING):
        evidence = DstackAttester(agent.path).attest(NONCE)

    assert evidence.compose is None
    assert caplog.messages == ["event=compose_left_out reason=not_the_measured_one"]


@pytest.mark.parametrize("decoy", [{"imr": 2}, {"event_type": 1}, {"event": "compose-hash2"}])
def test_host_puts_a_decoy_before_the_measured_compose_hash_and_it_is_not_taken(
    listen: Listen, decoy: dict[str, object]
):
    guest = Guest()
    events = json.loads(on_platform(guest)(NONCE).event_log)
    measured = next(event for event in events if event["event"] == "compose-hash")
    log = json.dumps([measured | {"event_payload": "00" * 32} | decoy, *events])

    evidence = DstackAttester(listen(fault=sim.change(event_log=log)).path).attest(NONCE)

    assert evidence.compose == guest.compose


def test_client_emits_a_second_compose_hash_later_and_the_first_one_counts(listen: Listen):
    guest = Guest()
    events = json.loads(on_platform(guest)(NONCE).event_log)
    measured = next(event for event in events if event["event"] == "compose-hash")
    log = json.dumps([*events, measured | {"event_payload": "00" * 32}])

    evidence = DstackAttester(listen(fault=sim.change(event_log=log)).path).attest(NONCE)

    assert evidence.compose == guest.compose


@pytest.mark.parametrize("payload", ["zz", 7, None])
def test_a_compose_hash_that_is_no_digest_leaves_the_compose_file_out(
    listen: Listen, payload: object
):
    events = json.loads(on_platform()(NONCE).event_log)
    for event in events:
        if event["event"] == "compose-hash":
            event["event_payload"] = payload
    agent = listen(fault=sim.change(event_log=json.dumps(events)))

    assert DstackAttester(agent.path).attest(NONCE).compose is None


def test_an_agent_that_hides_its_version_is_known_by_its_answer(listen: Listen):
    attester = DstackAttester(listen(dialect="0.5-early", fault=sim.change(attestation="")).path)

    attester.attest(NONCE)

    assert (attester.dialect, attester.version) == ("0.6", None)


@pytest.mark.parametrize(
    ("version", "dialect"),
    [("0.5.7", "0.5"), ("v0.6.0-rc1", "0.6"), ("1.0.0", "0.6"), ("", "0.5"), ("next", "0.5")],
)
def test_the_dialect_follows_the_first_two_numbers_of_the_version(
    listen: Listen, version: str, dialect: str
):
    agent = listen(fault=sim.change(version=version), faulty=("Version",))

    assert DstackAttester(agent.path).identify() == dialect


def test_an_agent_without_info_still_gives_its_quote_and_the_gap_is_logged(
    listen: Listen, caplog: pytest.LogCaptureFixture
):
    agent = listen(fault=sim.refuse(500, b"no info today"), faulty=("Info",))

    with caplog.at_level(logging.WARNING):
        evidence = DstackAttester(agent.path).attest(NONCE)

    assert tdx_quote.parse(evidence.quote).body.report_data == NONCE
    assert evidence.compose is None
    assert caplog.messages == ["event=compose_left_out reason=agent_error"]


def test_the_mr_config_document_comes_along_when_the_quote_commits_to_one(listen: Listen):
    guest = Guest(mr_config=3)

    evidence = DstackAttester(listen(on_platform(guest), dialect="0.6").path).attest(NONCE)

    assert evidence.mr_config == guest.mr_config_document()


@pytest.mark.parametrize("form", [0, 1, 2])
def test_a_document_that_no_quote_commits_to_is_left_out(listen: Listen, form: int):
    agent = listen(fault=sim.change(vm_config='{"mr_config":"{}"}'))
    agent.quoter = on_platform(Guest(mr_config=form))  # type: ignore[arg-type]

    assert DstackAttester(agent.path).attest(NONCE).mr_config is None


def test_the_mr_config_document_is_found_inside_an_older_hosts_nested_vm_config(listen: Listen):
    nested = json.dumps({"vm_config": json.dumps({"mr_config": "the document"})})
    agent = listen(on_platform(Guest(mr_config=3)), fault=sim.change(vm_config=nested))

    assert DstackAttester(agent.path).attest(NONCE).mr_config == b"the document"


def test_an_agent_without_event_log_gives_a_quote_alone(listen: Listen):
    evidence = DstackAttester(listen(fault=sim.change(event_log="")).path).attest(NONCE)

    assert evidence.event_log is None
    assert evidence.compose is None


def test_an_agent_on_another_platform_is_told_apart_from_a_broken_one(listen: Listen):
    agent = listen(fault=sim.change(quote="", event_log="", attestation="84a7"), dialect="0.6")

    with pytest.raises(Unavailable) as caught:
        DstackAttester(agent.path).attest(NONCE)

    assert caught.value.code == "agent_not_tdx"


def test_the_simulators_addresses_win_over_every_socket():
    both = {"DSTACK_SIMULATOR_ENDPOINT": "http://localhost:8090", "TAPPD_SIMULATOR_ENDPOINT": "/t"}

    assert find(both, exists=lambda _path: True) == "http://localhost:8090"
    assert find({"TAPPD_SIMULATOR_ENDPOINT": "/t"}, exists=lambda _path: True) == "/t"
    assert find({"DSTACK_SIMULATOR_ENDPOINT": ""}, exists=lambda _path: False) is None


def test_sockets_are_looked_for_in_the_sdks_order_and_tappd_last(monkeypatch: pytest.MonkeyPatch):
    every = DSTACK_SOCKETS + TAPPD_SOCKETS
    for number, path in enumerate(every):
        assert find({}, exists=lambda candidate, rest=every[number:]: candidate in rest) == path

    from dstack_sdk import dstack_client

    for ours, theirs in (
        (DSTACK_SOCKETS, dstack_client.get_endpoint),
        (TAPPD_SOCKETS, dstack_client.get_tappd_endpoint),
    ):
        for number, path in enumerate(ours):
            rest = ours[number:]
            monkeypatch.setattr("os.path.exists", rest.__contains__)
            assert theirs() == path

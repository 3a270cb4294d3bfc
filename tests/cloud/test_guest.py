"""The guest agent of a simulated machine, asked by the unmodified dstack-sdk and by strangers."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from pathlib import Path

import pytest
from coincurve import PublicKey

from teeproof.cloud.attester import GuestAttester, derive
from teeproof.cloud.guest import GuestAgent
from teeproof.cloud.manifest import Manifest
from teeproof.core.errors import Unavailable
from teeproof.evidence.collect.dstack import DstackAttester
from teeproof.evidence.collect.simulated import Guest, Processor, SimulatedPlatform
from teeproof.evidence.dstack_keys import verify_key_chain
from teeproof.evidence.policy import parse_policy
from teeproof.evidence.verify import verify
from tests.cloud.keeping import NOW, machines
from tests.cloud.scenes import platform

CODE = Manifest("guest", "some.module")
REPORT_DATA = bytes(range(64))


def machine_of(manifest=CODE, vendor=None, **options):
    vendor = vendor or platform()
    return vendor.machine(guest=Guest(compose=manifest.compose()), **options)


@pytest.fixture
def short():
    """A folder whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="tg-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def agent(short):
    with GuestAgent(
        machine_of(), short / "agent.sock", collateral=platform().collateral, now=lambda: NOW
    ) as made:
        made.path = str(short / "agent.sock")
        yield made


@pytest.fixture
def sdk(agent):
    from dstack_sdk import DstackClient

    client = DstackClient(agent.path)
    client.__enter__()  # which returns another object, a client of coroutines
    yield client
    client.__exit__(None, None, None)


def test_the_unmodified_sdk_gets_a_quote_that_verifies(sdk, agent):
    answer = sdk.get_quote(REPORT_DATA)
    assert answer.decode_quote()[568:632] == REPORT_DATA
    evidence = agent.machine.evidence(REPORT_DATA, now=NOW)
    assert answer.decode_quote()[:632] == evidence.quote[:632]
    rtmrs = answer.replay_rtmrs()
    assert rtmrs == {n: value.hex() for n, value in enumerate(agent.machine.rtmrs)}


def test_the_sdk_pads_short_report_data_as_dstack_does(sdk):
    assert sdk.get_quote("hello").decode_quote()[568:632] == b"hello".ljust(64, b"\0")


def test_the_sdk_reads_what_was_measured(sdk, agent):
    info = sdk.info()
    assert info.compose_hash == CODE.compose_hash
    assert info.tcb_info.app_compose.encode() == CODE.compose()
    assert info.app_id == CODE.compose_hash[:40]
    assert info.app_name == "guest"
    body = agent.machine.quote(bytes(64))
    assert bytes.fromhex(info.tcb_info.mrtd) in body
    assert all(bytes.fromhex(info.tcb_info.__dict__[f"rtmr{n}"]) in body for n in range(4))
    assert agent.machine.processor.ppid.hex() not in info.model_dump_json()


def test_the_sdk_knows_the_version_and_that_nothing_is_emitted(sdk, agent):
    assert sdk.version().version == "0.6.0"
    import httpx

    with pytest.raises(httpx.HTTPStatusError):
        sdk.emit_event("mine", b"payload")
    assert DstackAttester(agent.path).identify() == "0.6"


@pytest.mark.parametrize("algorithm", ["secp256k1", "ed25519"])
def test_a_key_has_a_chain_up_to_the_provider(sdk, agent, algorithm):
    from nacl.signing import SigningKey

    answer = sdk.get_key("a/path", "signing", algorithm)
    secret = answer.decode_key()
    if algorithm == "ed25519":
        public = bytes(SigningKey(secret).verify_key)
    else:
        public = PublicKey.from_secret(secret).format()
    found = verify_key_chain(
        answer.decode_signature_chain(),
        public_key=public, purpose="signing", app_id=agent.machine.guest.app_id,
        expected_root=agent.machine.provider_root,
    )  # fmt: skip
    assert found.public_key == public


def test_secrets_are_of_the_code_the_platform_and_the_path(agent):
    here = derive(agent.path, "one")
    assert here == derive(agent.path, "one") == machine_of().derive("one")
    assert here == machine_of(processor=Processor(name="machine 2")).derive("one")
    others = [
        derive(agent.path, "two"),
        machine_of(Manifest("guest", "other.module")).derive("one"),
        machine_of(Manifest("guest", "some.module", ("x",))).derive("one"),
        machine_of(vendor=SimulatedPlatform(b"other".ljust(32, b"."))).derive("one"),
    ]
    assert len({here, *others}) == 5


def test_evidence_comes_with_collateral_and_verifies(agent):
    evidence = GuestAttester(agent.path).attest(REPORT_DATA)
    verdict = verify(evidence, now=NOW, policy=parse_policy(machines(CODE.compose_hash)))
    assert (verdict.ok, verdict.level) == (True, "simulated")
    assert verdict.facts["application"]["compose_hash"] == CODE.compose_hash
    other = verify(evidence, now=NOW, policy=parse_policy(machines("ab" * 32)))
    assert [check.name for check in other.failures] == ["compose-hash"]
    assert DstackAttester(agent.path).attest(REPORT_DATA).collateral is None


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/GetQuote", b'{"report_data":"zz"}', "no hex"),
        ("/GetQuote", b'{"report_data":"%s"}' % (b"00" * 65), "at most 64"),
        ("/GetQuote", b"{}", "hex"),
        ("/GetQuote", b"[]", "no JSON object"),
        ("/GetQuote", b"{", "not JSON"),
        ("/GetQuote", b'{"report_data":"","report_data":"00"}', "twice"),
        ("/GetKey", b'{"path":7}', "text"),
        ("/GetKey", b'{"path":"%s"}' % (b"x" * 257), "text of at most"),
        ("/GetKey", b'{"algorithm":"rsa"}', "Unsupported"),
        ("/EmitEvent", b"{}", "not found"),
        ("/Nothing", b"{}", "not found"),
        ("/GetKey/", b"{}", "not found"),
    ],
)
def test_workload_asks_for_nonsense(agent, path, body, words):
    status, answer = ask(agent.path, path, body)
    assert status == 400
    assert words in json.loads(answer)["error"]


def ask(path, method, body, *, length=None):
    head = f"POST {method} HTTP/1.1\r\nHost: x\r\nContent-Length: {length or len(body)}\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(head.encode() + body)
        data = b""
        while more := connection.recv(65536):
            data += more
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize("length", ["999999999", "-1", "1e3", "0x10", "9" * 400])
def test_workload_announces_a_question_of_any_size(agent, length):
    status, _ = ask(agent.path, "/GetKey", b"{}", length=length)
    assert status == 400


def test_workload_hangs_up_or_says_nothing_and_others_are_answered(agent):
    silent = []
    for _ in range(10):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(agent.path)
        silent.append(connection)
    silent[0].sendall(b"POST /GetKey HTTP/1.1\r\nContent-Length: 10\r\n\r\n{")
    silent.pop().close()
    assert derive(agent.path, "one")
    for connection in silent:
        connection.close()


def test_many_may_ask_at_once(agent):
    found, errors = [], []

    def work(number):
        try:
            found.append(derive(agent.path, f"path {number % 4}"))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set(found)) == 4


def test_an_agent_that_is_closed_does_not_answer(short):
    path = short / "agent.sock"
    agent = GuestAgent(machine_of(), path, collateral=platform().collateral, now=lambda: NOW)
    assert derive(str(path), "x")
    agent.close()
    agent.close()
    with pytest.raises(Unavailable):
        derive(str(path), "x")


def test_nothing_is_written_about_who_asks_for_what(agent, capfd):
    derive(agent.path, "a path that is nobody's business")
    ask(agent.path, "/Nothing", b"{}")
    assert capfd.readouterr() == ("", "")
    assert os.path.exists(agent.path)

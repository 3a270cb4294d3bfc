"""dstack's older guest agent, in a process of its own: ``raw`` is quoted as asked, unhashed."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import dstack_sdk
import pytest

from teeproof.core.errors import NotAuthentic, Unavailable
from teeproof.evidence.collect.dstack import DstackAttester
from teeproof.evidence.collect.simulated import SimulatedPlatform, opt_in_policy
from teeproof.evidence.naming import report_data_of
from teeproof.evidence.policy import parse_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.verify import verify
from tests.sim.tappd import NOW, SEED, tappd

D = bytes(range(32)) + bytes(32)
PLATFORM = SimulatedPlatform(SEED)


@pytest.fixture(scope="module")
def agent() -> Iterator[str]:
    with tappd() as path:
        yield path


def verdict(evidence: Evidence, expected: bytes):
    policy = parse_policy(opt_in_policy(PLATFORM) + f'report_data = "{expected.hex()}"\n')
    return verify(evidence, collateral=PLATFORM.collateral(NOW), now=NOW, policy=policy)


def test_what_it_gives_verifies_over_the_bytes_that_were_asked_for(agent):
    attester = DstackAttester(agent)
    evidence = attester.attest(D)
    assert attester.dialect == "tappd"
    assert verdict(evidence, D).ok
    assert not verdict(evidence, bytes([D[0] ^ 1]) + D[1:]).ok
    assert evidence.event_log
    assert evidence.compose


def test_version_0_3_1_that_knows_one_method_is_understood():
    with tappd("early") as path:
        evidence = DstackAttester(path).attest(D)
    assert report_data_of(evidence) == D
    assert evidence.compose is None


def test_the_unmodified_client_gets_the_same_and_by_default_a_hash(agent):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client = dstack_sdk.TappdClient(agent)
        raw = client.tdx_quote(D, "raw")
        hashed = client.tdx_quote(b"question", "sha512")

    def bound(answer) -> bytes:
        return report_data_of(Evidence(quote=bytes.fromhex(answer.quote)))

    assert bound(raw) == report_data_of(DstackAttester(agent).attest(D)) == D
    assert bound(hashed) == hashlib.sha512(b"app-data:question").digest()


def test_racing_clients_each_get_their_own(agent):
    asked = [bytes([number]) * 64 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda data: DstackAttester(agent).attest(data), asked))
    assert [report_data_of(one) for one in given] == asked


def test_host_an_agent_that_hashes_what_it_was_to_leave_alone_is_refused():
    with tappd("hashing") as path, pytest.raises(NotAuthentic) as caught:
        DstackAttester(path).attest(D)
    assert caught.value.code == "agent_report_data"
    assert caught.value.got == hashlib.sha512(b"app-data:" + D).hexdigest()


def test_host_an_agent_that_replays_the_request_before_is_refused():
    with tappd("stale") as path:
        DstackAttester(path).attest(bytes(64))
        with pytest.raises(NotAuthentic) as caught:
            DstackAttester(path).attest(D)
    assert caught.value.got == bytes(64).hex()


def test_an_agent_that_dies_while_it_is_asked_is_an_error_in_words():
    with tappd("dying") as path:
        with pytest.raises(Unavailable):
            DstackAttester(path).attest(D)
        with pytest.raises(Unavailable) as caught:
            DstackAttester(path).attest(D)
    # A socket of a process that is just ending takes a connection, and drops it.
    assert caught.value.code in ("agent_refused", "agent_unreachable")

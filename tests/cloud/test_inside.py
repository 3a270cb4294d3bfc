"""What a workload sees of the world, behind a wall or right here."""

from __future__ import annotations

import json
import threading

import httpx
import pytest

from teeproof.cloud.inside import LOG_POLICY, Inside, Peer, Wiring
from teeproof.cloud.local import LocalInside
from teeproof.cloud.manifest import Manifest
from teeproof.cloud.recognise import recognise, require_pinned
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, Unavailable, Usage
from teeproof.evidence.collect.simulated import SimulatedPlatform, opt_in_policy
from teeproof.evidence.policy import parse_policy
from teeproof.proof.memory import MemorySource
from tests.cloud.keeping import NOW, machines
from tests.cloud.scenes import platform
from tests.proof.log.http.httplog import TOKEN, served

CODE = Manifest("here", "some.module", ("one",), {"SETTING": "text"})


@pytest.fixture
def here(tmp_path):
    return LocalInside(tmp_path, manifest=CODE, platform=platform(), now=lambda: NOW)


def test_what_is_measured_is_what_is_seen(here):
    assert (here.name, here.arguments) == ("here", ("one",))
    assert here.environment == {"SETTING": "text"}
    assert here.require("SETTING") == "text"
    with pytest.raises(Usage) as refused:
        here.require("OTHER")
    assert (refused.value.code, refused.value.expected) == ("setting_missing", "OTHER")
    assert all(place.is_dir() for place in (here.inputs, here.outputs, here.state))


def test_an_identity_is_of_the_machine_that_runs_the_manifest(here):
    me = here.boot(roles=["seal"], nonce="n", secrets={"chain": here.derive("chain")})
    given = {"blob": me.blobs.__getitem__, "now": NOW}
    known = recognise(me.record, policy=parse_policy(machines(CODE.compose_hash)), **given)
    assert known.compose_hash == CODE.compose_hash
    with pytest.raises(NotAllowed) as refused:
        recognise(me.record, policy=parse_policy(machines("ab" * 32)), **given)
    assert refused.value.got == CODE.compose_hash
    stranger = SimulatedPlatform(b"stranger".ljust(32, b"."))
    with pytest.raises(NotAllowed) as refused:
        recognise(me.record, policy=parse_policy(opt_in_policy(stranger)), **given)
    assert refused.value.code == "simulated_root_not_accepted"
    assert here.statements.identity(me.digest) == me.record.encode()


def test_an_identity_whose_evidence_is_swapped_or_missing_is_not_recognised(here, tmp_path):
    me, other = here.boot(), here.boot()
    policy = parse_policy(machines())
    with pytest.raises((NotAuthentic, Unavailable)):
        recognise(me.record, blob=swapped(me, other), policy=policy, now=NOW)
    with pytest.raises((NotAuthentic, NotAllowed)) as refused:
        recognise(me.record, blob=me.blobs.__getitem__, policy=policy, now=NOW.replace(month=8))
    assert refused.value.code in ("crl_expired", "keys_expired", "collateral_expired")


def swapped(me, other):
    quote = me.record.attachments["quote"]
    theirs = other.blobs[other.record.attachments["quote"]]
    return lambda name: theirs if name == quote else me.blobs[name]


def test_a_policy_that_takes_anybodys_word_is_no_policy_to_decide_by():
    require_pinned(parse_policy(machines()))
    with pytest.raises(Usage):
        require_pinned(parse_policy(opt_in_policy(platform())))
    with pytest.raises(Usage):
        require_pinned(parse_policy(machines().replace("event_log = true\n", "")))


def test_the_same_derivation_is_the_same_secret_and_no_other_is(here, tmp_path):
    again = LocalInside(tmp_path / "b", manifest=CODE, platform=platform())
    other = LocalInside(tmp_path / "c", manifest=Manifest("here", "x.y"), platform=platform())
    assert here.derive("a") == again.derive("a")
    assert len({here.derive("a"), here.derive("b"), other.derive("a")}) == 3
    assert len(here.derive("a")) == 32


def test_it_serves_until_it_is_stopped(here):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here"})

    thread = threading.Thread(target=here.serve, args=(app,))
    thread.start()
    with httpx.Client(timeout=60, trust_env=False) as client:
        assert client.get(here.wait_address()).content == b"here"
    here.stop()
    thread.join()


def test_who_waits_for_somebody_who_does_not_serve_is_told(here):
    with pytest.raises(Unavailable):
        here.wait_address(timeout=0.01)


def test_what_it_says_is_one_line_of_json(here):
    here.say(step="training", epoch=3, of=9)
    here.say(step="done")
    lines = here.said.getvalue().splitlines()
    assert [json.loads(line)["step"] for line in lines] == ["training", "done"]


def test_peers_are_known_by_name(tmp_path):
    here = LocalInside(tmp_path, peers={"pool": "http://127.0.0.1:1/base/"})
    assert here.url("pool") == "http://127.0.0.1:1/base"
    with pytest.raises(Unavailable) as refused:
        here.url("chain")
    assert (refused.value.code, refused.value.expected) == ("peer_unknown", "pool")


def wired(tmp_path, *, environment=None, **peers):
    wiring = Wiring(
        compose="", guest="", serve="", inputs=str(tmp_path), outputs="", state="", peers=peers
    )
    return Inside(Manifest("w", "a.b", (), environment or {}), wiring)


def test_a_log_is_believed_by_the_measured_policy_and_not_by_the_wiring(tmp_path):
    with served(tmp_path / "log", every=0.05) as log:
        good = f"log {log.log.verifier.text()}\nquorum none\n"
        peer = Peer(log.url, token=TOKEN, policy="log whatever the host says")
        inside = wired(tmp_path, environment={LOG_POLICY: good}, log=peer)
        with inside.store() as store:
            assert store.publish() is None
        assert inside.log_policy() == good.encode()
        unmeasured = wired(tmp_path, log=Peer(log.url, token=TOKEN, policy=good))
        assert unmeasured.log_policy() == good.encode()


def test_a_log_without_any_policy_is_refused_and_no_log_is_memory(tmp_path):
    with pytest.raises(Usage) as refused:
        wired(tmp_path, log=Peer("http://127.0.0.1:9")).store()
    assert refused.value.code == "setting_missing"
    assert isinstance(wired(tmp_path).store(), MemorySource)


def test_who_was_not_launched_to_serve_does_not(tmp_path):
    with pytest.raises(Usage) as refused:
        wired(tmp_path).serve(None)
    assert refused.value.code == "not_serving"


def test_wiring_is_read_with_the_manifest_and_nothing_else_is_accepted(tmp_path):
    compose = tmp_path / "compose.json"
    compose.write_bytes(CODE.compose())
    value = dict.fromkeys(("guest", "serve", "inputs", "outputs", "state"), "")
    path = tmp_path / "wiring.json"
    path.write_text(json.dumps(value | {"compose": str(compose), "peers": {}}))
    module, inside = Inside.load(path)
    assert (module, inside.arguments) == ("some.module", ("one",))
    compose.write_bytes(CODE.compose() + b" ")
    with pytest.raises(Malformed):
        Inside.load(path)
    for data in (b"", b"{}", b"[]", json.dumps(value | {"more": 1}).encode()):
        path.write_bytes(data)
        with pytest.raises(Malformed) as refused:
            Inside.load(path)
        assert refused.value.code == "wiring_malformed"

"""Who comes in as a node, and who does not: by evidence, and with reasons for people."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error, Malformed, NotAllowed, NotAuthentic, TooLarge, Unavailable
from teeproof.evidence.collect.simulated import SimulatedAttester, SimulatedPlatform
from teeproof.evidence.nvidia.nonce import gpu_nonce
from teeproof.evidence.policy import INTEL_ROOT
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.nvidia import SimulatedGpu
from teeproof.evidence.simulated.nvidia_scene import GpuScene
from teeproof.network.admission import decide
from teeproof.network.claim import Gpus, Hardware
from teeproof.network.gate import MAX_BODY
from teeproof.network.statements import NODE, NodeStatement, say
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.source import read_record
from teeproof.proof.workload import Identity
from tests.network.scenes import Node, Scene, attester, claim, gpus, platform, terms, wire


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


def refused(admission):
    assert not admission.admitted
    return [reason.code for reason in admission.decision.reasons]


def raised(kind: type[Error], call, *arguments) -> Error:
    with pytest.raises(kind) as error:
        call(*arguments)
    assert type(error.value) is kind
    return error.value


def test_a_node_is_admitted_by_its_evidence_and_labelled_by_what_vouches_for_it(scene):
    node = Node(scene)
    admission = node.register()
    assert admission.admitted
    decision = admission.decision
    assert (decision.tee, decision.reasons) == ("sim", ())
    assert decision.until - decision.at == scene.terms.attestation
    said = read_record(scene.store.statement(bytes.fromhex(admission.statement[7:])))
    assert said.author == scene.identity.digest
    assert said.is_signed_by(scene.identity.record)
    assert said.statement.predicate.decision == decision
    assert [offer.node for offer in scene.renters.offers().offers] == [node.name]


def test_no_platform_id_is_ever_shown(scene):
    node = Node(scene)
    admission = node.register()
    ppid = node.attester.machine.processor.ppid
    assert admission.decision.machine == named(sha256(ppid))
    said = scene.store.statement(bytes.fromhex(admission.statement[7:]))
    for shown in (wire(admission), said, wire(scene.renters.offers())):
        assert ppid not in shown
        assert ppid.hex().encode() not in shown


def test_node_claims_an_h100_that_it_lacks(scene):
    admission = Node(scene, hardware=gpus()).register()
    assert refused(admission) == ["gpu_report_missing"]
    assert admission.reason == "claims 1 H100 and brings no GPU report"
    assert admission.decision.tee == "sim"
    assert scene.renters.offers().total == 0


def with_gpus(scene, count: int, *, claims: tuple[Gpus, ...], machine: str = "one") -> Node:
    """Return a node on a machine with simulated GPUs."""
    node = Node(scene, hardware=Hardware(cpus=8, memory_mib=32_768, gpus=claims))
    node.attester = attester(machine, scene.clock, gpus=count)
    return node


def test_node_proves_the_gpus_that_it_claims_by_its_identitys_evidence(scene):
    claims = (Gpus(model="GH100", count=2),)
    admission = with_gpus(scene, 2, claims=claims).register()
    assert admission.admitted, admission.reason
    assert admission.decision.tee == "sim"  # a simulator vouches for both
    assert scene.renters.offers().total == 1


@pytest.mark.parametrize(
    ("count", "claims", "words"),
    [
        (1, (Gpus(model="GH100", count=2),), "claims 2 GH100, and its evidence shows 1 GH100"),
        (2, (Gpus(model="H100", count=2),), "a report names the chip, such as GH100 of an H100"),
        (1, (Gpus(model="GB100", count=1), Gpus(model="GH100", count=1)), "claims 1 GB100"),
    ],
)
def test_node_claims_other_gpus_than_its_evidence_shows(scene, count, claims, words):
    admission = with_gpus(scene, count, claims=claims).register()
    assert refused(admission) == ["gpu_unproven"]
    assert words in admission.reason


def test_node_has_gpus_that_it_does_not_offer(scene):
    assert with_gpus(scene, 1, claims=()).register().admitted


def facts_of(device_level: str = "hardware", **changes: Any) -> dict[str, Any]:
    """Return facts of a machine under a root of the terms, with one GPU."""
    data = bytes(range(64))
    device = {"chip": "GH100", "is_switch": False, "level": device_level}
    gpus_ = {"nonce": gpu_nonce(data[:32]).hex(), "devices": [device]}
    facts = {
        "root": INTEL_ROOT, "report_data": data.hex(), "platform": {"id": "sha256:" + "11" * 32},
        "debug": False, "migratable": False, "service_td": False, "gpus": gpus_,
    }  # fmt: skip
    return facts | changes


def decided(facts: dict[str, Any]) -> tuple[bool, str, list[str]]:
    hardware = Hardware(cpus=8, memory_mib=32_768, gpus=(Gpus(model="GH100", count=1),))
    found = decide(claim(hardware=hardware), facts=facts, terms=terms(roots=(INTEL_ROOT,)))
    return found[0], found[1], [reason.code for reason in found[2]]


def test_a_node_whose_vendors_vouch_for_both_has_a_label_of_its_own():
    assert decided(facts_of()) == (True, "cpu+gpu", [])


def test_host_shows_the_gpus_of_another_machine():
    other = facts_of()["gpus"] | {"nonce": "00" * 32}
    assert decided(facts_of(gpus=other)) == (False, "cpu", ["gpu_of_another_machine"])


def test_operator_puts_simulated_gpus_beside_a_genuine_machine():
    assert decided(facts_of("simulated")) == (False, "cpu", ["gpu_simulated"])


def test_a_switch_is_no_gpu():
    switch = facts_of()["gpus"]
    switch["devices"][0]["is_switch"] = True
    assert decided(facts_of(gpus=switch)) == (False, "cpu", ["gpu_unproven"])


class Relayed:
    """A machine whose owner puts some chip's evidence beside its own, in time for its nonce."""

    def __init__(self, scene: Scene, machine: str, *numbers: int) -> None:
        self.scene, self.machine, self.numbers = scene, attester(machine, scene.clock), numbers

    name = "a machine and whatever GPUs its owner finds"

    def attest(self, report_data: bytes) -> Evidence:
        made, vendor = self.machine.attest(report_data), platform().gpus
        scene = GpuScene(vendor, gpu_nonce(report_data[:32]), self.scene.clock())
        found = scene.evidence(tuple(SimulatedGpu(vendor, number) for number in self.numbers))
        return msgspec.structs.replace(
            made, gpus=found.document(), manifests=found.manifests, ocsp=found.ocsp
        )


def gpu_node(scene: Scene, name: str, *numbers: int) -> Node:
    """A node on a machine of its own that claims as many GPUs as it shows."""
    claims = (Gpus(model="GH100", count=len(numbers)),)
    node = Node(scene, name, hardware=Hardware(cpus=8, memory_mib=32_768, gpus=claims))
    node.attester = Relayed(scene, name, *numbers)
    return node


def test_owner_who_relays_one_gpu_to_two_nodes(scene):
    assert gpu_node(scene, "one", 0, 1).register().admitted
    admission = gpu_node(scene, "two", 1).register()
    assert refused(admission) == ["gpu_listed"]
    (reason,) = admission.decision.reasons
    assert "listed already, by one" in reason.detail
    assert refused(gpu_node(scene, "three", 1, 2).register()) == ["gpu_listed"]


def test_two_nodes_with_chips_of_their_own_are_both_admitted(scene):
    one, two = gpu_node(scene, "one", 0, 1).register(), gpu_node(scene, "two", 2, 3).register()
    assert one.admitted
    assert two.admitted
    assert len(one.decision.gpus) == 2
    assert not set(one.decision.gpus) & set(two.decision.gpus)


def test_a_gpu_that_moved_on_after_its_node_went_silent_is_admitted_in_its_place(scene):
    one = gpu_node(scene, "one", 0)
    assert one.register().admitted
    scene.clock.wait(scene.terms.pause_after + 1)
    assert gpu_node(scene, "two", 0).register().admitted
    assert one.name not in scene.market.state.nodes


def test_owner_relays_a_gpu_when_he_proves_his_machine_anew(scene):
    """What was refused at the door is refused through the back door too."""
    one, two = gpu_node(scene, "one", 0), gpu_node(scene, "two", 1)
    assert one.register().admitted
    assert two.register().admitted
    two.attester.numbers = (0,)
    assert refused(two.attest()) == ["gpu_listed"]
    scene.restart()
    assert scene.market.state.gpus == {
        gpu: node.name for node in scene.market.state.nodes.values() for gpu in node.gpus
    }  # fmt: skip


def test_node_brings_gpu_reports_apart_from_its_identity(scene):
    report = b"any bytes at all"
    node = Node(scene, hardware=gpus(8), gpu_reports=(named(sha256(report)),))
    node.boot()
    admission = node.send(node.registration(gpu_reports=(report,)))
    assert refused(admission) == ["gpu_report_apart"]
    assert "claims 8 H100" in admission.reason
    assert "boot with the GPUs' evidence" in admission.reason


def test_node_brings_other_gpu_reports_than_its_claim_names(scene):
    node = Node(scene, hardware=gpus(), gpu_reports=(named(sha256(b"one")),))
    node.boot()
    for reports in ((), (b"two",), (b"one", b"one"), (b"",)):
        assert raised(Malformed, node.send, node.registration(gpu_reports=reports))


def test_every_reason_is_told_at_once(scene):
    node = Node(scene, hardware=gpus(), price="2000000000")
    assert refused(node.register(nonce="none of yours")) == [
        "gpu_report_missing", "price_too_high", "challenge_unknown",
    ]  # fmt: skip


def test_node_lists_one_machine_twice(scene):
    scene.node("one", machine="rack")
    admission = Node(scene, "two", machine="rack").register()
    assert refused(admission) == ["machine_listed"]
    assert "this machine is listed already, as one" in admission.reason
    assert scene.renters.offers().total == 1


def test_node_takes_a_name_that_another_one_has(scene):
    scene.node("one", machine="rack")
    assert refused(Node(scene, "one", machine="other").register()) == ["name_listed"]


def test_a_machine_that_went_silent_may_come_back_and_is_still_one_node(scene):
    first = scene.node("one", machine="rack")
    scene.clock.wait(scene.terms.pause_after + 1)
    second = Node(scene, "one", machine="rack")
    assert second.register().admitted
    assert [offer.node for offer in scene.renters.offers().offers] == [second.name]
    assert raised(Unavailable, first.beat).code == "node_unknown"


def test_node_lists_one_evidence_under_two_names(scene):
    node = scene.node("one")
    node.claim = claim("two")
    admission = node.send(node.registration())  # the same identity, another claim
    assert refused(admission) == ["challenge_unknown", "machine_listed"]
    assert scene.renters.offers().total == 1


def test_node_replays_old_evidence(scene):
    node = Node(scene)
    node.boot()
    given = node.registration()
    scene.clock.wait(scene.terms.challenge + 1)
    assert refused(node.send(given)) == ["challenge_unknown"]


def test_node_replays_its_registration(scene):
    node = scene.node()
    scene.clock.wait(scene.terms.close_after + 1)  # its machine counts as silent by now
    assert refused(node.send(node.registration())) == ["challenge_unknown"]


def test_a_challenge_of_another_market_is_worth_nothing(scene, tmp_path):
    (tmp_path / "other").mkdir()
    other = Scene(tmp_path / "other")
    given = other.nodes.challenge().challenge
    assert refused(Node(scene).register(nonce=given)) == ["challenge_unknown"]


def test_node_borrows_another_nodes_evidence(scene):
    honest, thief = Node(scene, "honest"), Node(scene, "thief")
    honest.boot()
    thief.boot()
    # The whole identity of the other: the claim is not signed by it.
    stolen = msgspec.Raw(honest.identity.record.encode())
    given = thief.registration(identity=stolen, blobs=honest.identity.blobs)
    assert raised(NotAuthentic, thief.send, given).code == "claim_of_another"
    # Its own identity with the other's quote beside it: not the evidence that the keys name.
    own, theirs = thief.identity.record, honest.identity.record
    swapped = IdentityRecord(envelope=own.envelope, attachments=theirs.attachments)
    given = thief.registration(identity=msgspec.Raw(swapped.encode()), blobs=honest.identity.blobs)
    assert raised(NotAuthentic, thief.send, given).code == "evidence_of_another"
    assert scene.renters.offers().total == 0


def test_node_signs_with_a_key_that_the_hardware_does_not_know(scene):
    node = Node(scene)
    node.boot()
    said = node.seal().envelope
    forged = Envelope(said.payload, (Signature("", bytes(64)),))
    given = node.registration(claim=msgspec.Raw(forged.encode()))
    assert raised(NotAuthentic, node.send, given).code == "claim_of_another"


def test_node_lists_a_key_that_it_does_not_hold(scene):
    node = Node(scene)
    node.boot()
    record = node.identity.record
    envelope = Envelope(record.envelope.payload, (Signature("statement/ed25519", bytes(64)),))
    forged = IdentityRecord(envelope=envelope, attachments=record.attachments)
    given = node.registration(identity=msgspec.Raw(forged.encode()))
    assert raised(NotAuthentic, node.send, given).code == "possession_unproven"


def test_evidence_that_a_simulator_of_its_own_made_is_nobodys_claim(scene):
    node = Node(scene)
    stranger = SimulatedPlatform(b"\x55" * 32)
    node.attester = SimulatedAttester(stranger, now=scene.clock)
    assert raised(NotAllowed, node.register).code == "simulated_root_not_accepted"
    assert scene.market.number == 1  # nothing was written down


def test_a_machine_that_the_policy_refuses_is_refused_with_the_policys_reason(scene):
    node = Node(scene)
    node.attester = SimulatedAttester(platform(), now=scene.clock, state="debug")
    admission = node.register()
    assert "evidence_refused" in refused(admission)
    assert "the host can read and change the domain's memory" in admission.reason


def test_evidence_with_a_missing_part_is_asked_for(scene):
    node = Node(scene)
    node.boot()
    assert raised(Unavailable, node.send, node.registration(blobs={})).code == "blob_unknown"


def test_evidence_with_a_changed_part_is_not_authentic(scene):
    node = Node(scene)
    node.boot()
    blobs = {name: data[:-1] + b"\0" for name, data in node.identity.blobs.items()}
    assert raised(NotAuthentic, node.send, node.registration(blobs=blobs)).code == "blob_mismatch"


def test_node_says_one_thing_in_the_claim_and_another_beside_it(scene):
    node = Node(scene)
    node.boot()
    author, cheap = node.identity, claim(price="1")
    for said in (
        say(NodeStatement(author=author.name, claim=cheap, payout="0x" + "cd" * 20), cheap,
            name="one"),
        say(NodeStatement(author=author.name, claim=cheap, payout=cheap.payout), claim(),
            name="one"),
    ):  # fmt: skip
        given = node.registration(claim=msgspec.Raw(author.sign(said).encode()))
        assert raised(Malformed, node.send, given).code == "claim_not_its_subject"


def test_another_kind_of_statement_is_no_claim(scene):
    node = Node(scene)
    node.boot()
    other = node.identity.seal("mine", outputs={"a": b"1"})
    given = node.registration(claim=msgspec.Raw(other.envelope.encode()))
    error = raised(Malformed, node.send, given)
    assert (error.code, error.expected) == ("statement_of_another_kind", NODE)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"identity":1}', b"[" * 100_000])
def test_what_is_no_registration_is_malformed(scene, data):
    raised(Malformed, scene.nodes.register, data)
    raised(Malformed, scene.nodes.attest, data)


def test_a_registration_with_an_unknown_key_or_a_key_twice_is_malformed(scene):
    node = Node(scene)
    node.boot()
    data = wire(node.registration())
    more = wire(json.loads(data) | {"vip": True})
    raised(Malformed, scene.nodes.register, more)
    raised(Malformed, scene.nodes.register, data.replace(b'{"blobs"', b'{"blobs":{},"blobs"', 1))


def test_a_registration_that_is_too_large_is_not_read(scene):
    raised(TooLarge, scene.nodes.register, b" " * (MAX_BODY + 1))


def test_a_node_proves_itself_anew_and_goes_on_under_its_name(scene):
    node = scene.node()
    name, first = node.name, node.identity
    scene.clock.wait(10)
    admission = node.attest()
    assert admission.admitted
    assert admission.decision.node == name
    assert node.identity.name != first.name
    node.beat()
    node.identity, node.counter = first, 99
    assert raised(NotAuthentic, node.beat).code == "node_signature"


def test_node_replays_its_renewal(scene):
    node = scene.node()
    given = node.renewal()
    assert scene.nodes.attest(wire(given)).admitted
    assert raised(NotAuthentic, scene.nodes.attest, wire(given)).code == "rotation_of_another"


def test_node_renews_with_evidence_for_no_challenge(scene):
    node = scene.node()
    admission = scene.nodes.attest(wire(node.renewal(nonce="stale")))
    assert refused(admission) == ["challenge_unknown"]


def test_node_renews_on_another_machine(scene):
    node = scene.node()
    node.identity._attester = Node(scene, machine="elsewhere").attester
    admission = node.attest()
    assert refused(admission) == ["machine_changed"]


def test_node_renews_another_nodes_place(scene):
    victim, thief = scene.node("victim"), scene.node("thief")
    given = msgspec.structs.replace(thief.renewal(), node=victim.name)
    assert raised(NotAuthentic, scene.nodes.attest, wire(given)).code == "rotation_of_another"


def test_node_changes_its_claim_while_it_renews(scene):
    node = scene.node()
    node.claim = claim(price="99")
    assert raised(NotAllowed, node.attest).code == "claim_changed"


def test_a_node_that_nobody_admitted_has_nothing_to_renew(scene):
    node = scene.node()
    node.name = "sha256:" + "0" * 64
    assert raised(Unavailable, node.attest).code == "node_unknown"


def test_challenges_run_out_before_the_memory_does(scene, monkeypatch):
    from teeproof.network import gate

    monkeypatch.setattr(gate, "MAX_CHALLENGES", 3)
    for _ in range(3):
        scene.nodes.challenge()
    assert raised(Unavailable, scene.nodes.challenge).code == "market_busy"
    scene.clock.wait(scene.terms.challenge + 1)
    scene.nodes.challenge()


def test_a_node_keeps_its_place_over_a_restart_of_the_market(scene):
    node = scene.node()
    scene.restart()
    node.beat()
    assert [offer.node for offer in scene.renters.offers().offers] == [node.name]


def test_an_offer_is_stale_once_its_node_is_silent_and_back_with_a_heartbeat(scene):
    node = scene.node()
    scene.clock.wait(scene.terms.window + 1)
    assert [offer.taken for offer in scene.renters.offers().offers] == ["stale"]
    node.beat()
    assert [offer.taken for offer in scene.renters.offers().offers] == [""]
    assert scene.renters.view().free == 1


def test_node_beats_on_with_stale_evidence_and_gets_no_order(scene):
    node = scene.node()
    node.work(scene.terms.attestation + 10, every=10)
    assert [offer.taken for offer in scene.renters.offers().offers] == ["stale"]
    assert node.attest().admitted
    assert [offer.taken for offer in scene.renters.offers().offers] == [""]


def test_an_identity_that_nobody_asked_for_a_nonce_is_not_fresh(scene):
    node = Node(scene)
    node.identity = Identity.boot(node.attester, now=scene.clock)
    assert refused(node.send(node.registration())) == ["challenge_unknown"]


def test_a_node_with_more_than_a_machine_can_have_is_malformed(scene):
    node = Node(scene, hardware=Hardware(cpus=5000, memory_mib=1))
    assert raised(Malformed, node.register).code == "count_malformed"

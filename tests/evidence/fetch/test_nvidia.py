"""NVIDIA's services: manifests, and answers about every certificate, verified before use."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta

import msgspec
import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed, NotAuthentic, Unavailable
from teeproof.evidence.fetch.asking import Asking
from teeproof.evidence.fetch.wanted import fetch_for
from teeproof.evidence.kept.records import Records
from teeproof.evidence.kept.serving import supply
from teeproof.evidence.nvidia import bundle, handed
from teeproof.evidence.nvidia.policy import NVIDIA, Roots
from teeproof.evidence.nvidia.verify import verify
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.nvidia_pki import GpuVendor
from tests.evidence.fetch.nvidia_scene import (
    DRIVER_ID,
    NOW,
    SCENE,
    VBIOS_ID,
    VENDOR,
    Responder,
    alone,
    other_manifest,
    rims,
    serve,
)
from tests.evidence.scenes import flipped
from tests.sim.vendors import status

AT = int(NOW.timestamp())
STRANGER = GpuVendor(b"\1" * 32, marked=False)
CHECKS = (
    "gpu-revocation",
    "gpu-driver-rim",
    "gpu-vbios-rim",
    "gpu-rim-revocation",
    "gpu-measurements",
)


@pytest.fixture
def asking(tmp_path, web):
    def make(**changes):
        services = {k: changes.pop(k) for k in ("offline", "ocsp_nonce") if k in changes}
        return Asking(directory=tmp_path / "archive", web=web(**services), now=AT, **changes)

    return make


def _states(evidence: Evidence, *, roots: Roots = NVIDIA) -> dict[str, str]:
    found = verify(
        bundle.parse(evidence.quote),
        rims=[handed.read(data) for data in evidence.manifests],
        ocsp=evidence.ocsp,
        roots=roots,
        now=AT,
    )
    return {check.name: check.state for check in found.checks}


def _supplied(asking: Asking, at: int = AT) -> Evidence:
    return supply(alone(), asking.records, at=at).evidence


def test_gpus_alone_are_verified_offline_once_nvidia_was_asked(vendors, asking):
    serve(vendors)
    before = _states(alone())
    assert {before[name] for name in CHECKS} == {"not_checked"}
    got = list(fetch_for(alone(), asking()))
    assert {each.source for each in got} == {"fetched"}
    asked = list(vendors.asked)
    # Two manifests, and an answer about two chips, two authorities above them, two of manifests.
    assert asked == [f"/v1/rim/{DRIVER_ID}", f"/v1/rim/{VBIOS_ID}", *["/"] * 6]
    states = _states(_supplied(asking()))
    assert {states[name] for name in CHECKS} == {"passed"}
    assert vendors.asked == asked


def test_a_request_names_one_certificate_by_sha384_and_has_a_new_nonce(vendors, asking):
    serve(vendors)
    list(fetch_for(alone(), asking()))
    requests = [ocsp.load_der_ocsp_request(body) for body in vendors.posted]
    nonces = {r.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce for r in requests}
    assert {r.hash_algorithm.name for r in requests} == {"sha384"}
    assert len(nonces) == len({r.serial_number for r in requests}) == 6
    assert {len(nonce) for nonce in nonces} == {32}


def test_what_is_in_force_is_not_asked_for_again_and_what_ended_is(vendors, asking, tmp_path, web):
    serve(vendors)
    list(fetch_for(alone(), asking()))
    vendors.asked.clear()
    assert {each.source for each in fetch_for(alone(), asking(offline=True))} == {"archive"}
    later = Asking(directory=tmp_path / "archive", web=web(), now=AT + 86400 + 1)
    vendors.answers = Responder(now=NOW + timedelta(days=1))
    list(fetch_for(alone(), later))
    assert vendors.asked == ["/"] * 6  # the manifests still hold
    vendors.asked.clear()
    list(
        fetch_for(alone(), Asking(directory=later.directory, web=web(), now=later.now, fresh=True))
    )
    assert len(vendors.asked) == 8


def test_a_manifest_that_nvidia_lacks_does_not_keep_the_rest_from_being_fetched(vendors, asking):
    serve(vendors)
    del vendors.files[f"/v1/rim/{VBIOS_ID}"]
    got = []
    with pytest.raises(Unavailable) as caught:
        got.extend(fetch_for(alone(), asking()))
    assert (caught.value.code, caught.value.exit_code) == ("endorsements_not_served", 3)
    assert f"manifest {VBIOS_ID}" in caught.value.detail
    assert len(got) == 7
    states = _states(_supplied(asking()))
    assert states["gpu-driver-rim"] == states["gpu-revocation"] == "passed"
    assert states["gpu-vbios-rim"] == states["gpu-measurements"] == "not_checked"


def test_the_driver_of_confidential_computing_has_another_id_which_is_tried_too(vendors, asking):
    serve(vendors)
    del vendors.files[f"/v1/rim/{DRIVER_ID}"]
    vendors.publish_rim(DRIVER_ID.replace("_DRIVER_", "_CC_DRIVER_"), rims()[0])
    list(fetch_for(alone(), asking()))
    assert vendors.asked[1] == "/v1/rim/NV_GPU_CC_DRIVER_GH100_999.01"
    assert _states(_supplied(asking()))["gpu-driver-rim"] == "passed"


def test_what_came_beside_the_evidence_is_not_added_to(vendors, asking):
    serve(vendors)
    list(fetch_for(alone(), asking()))
    full = SCENE.evidence()
    whole = Evidence(quote=full.document(), manifests=full.manifests, ocsp=full.ocsp)
    assert supply(whole, asking().records, at=AT).records == ()


def test_gpus_beside_a_machine_are_asked_for_too(vendors, asking):
    from tests.evidence import scenes

    serve(vendors)
    vendors.publish(scenes.PLATFORM.collateral(NOW))
    both = msgspec.structs.replace(scenes.evidence(), collateral=None, gpus=alone().quote)
    got = list(fetch_for(both, asking()))
    assert got[0].what.startswith("TDX collateral")
    assert len(got) == 9
    supplied = supply(both, asking().records, at=AT)
    assert len(supplied.evidence.manifests) == 2
    assert len(supplied.records) == 8


# Services that lie --------------------------------------------------------------------------------


def _refused(asking) -> Error:
    with pytest.raises((NotAuthentic, Malformed)) as caught:
        list(fetch_for(alone(), asking()))
    return caught.value


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        (other_manifest, "rim_unfit"),
        (lambda: rims()[1], "rim_unfit"),
        (lambda: other_manifest("999.01", STRANGER), "rim_root_not_pinned"),
        (lambda: flipped(rims()[0], len(rims()[0]) // 2), None),
        (lambda: b"<html/>", None),
        (lambda: b"", None),
    ],
    ids=["other-driver", "other-part", "other-root", "changed", "html", "empty"],
)  # fmt: skip
def test_network_a_manifest_that_does_not_hold_or_fit_is_not_taken(xml, code, vendors, asking):
    serve(vendors)
    vendors.publish_rim(DRIVER_ID, xml())
    assert code in (_refused(asking).code, None)
    assert Records(asking().directory).survey()[0] == []


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"rim":1,"id":"a"}', b'{"rim":"!","id":"%s"}' % DRIVER_ID.encode(),
        b'{"id":"NV_GPU_DRIVER_GH100_1","rim":"PGE+"}', b"<SoftwareIdentity/>",
    ],
)  # fmt: skip
def test_network_an_answer_of_another_shape_is_not_taken(body, vendors, asking):
    serve(vendors)
    vendors.serve(f"/v1/rim/{DRIVER_ID}", body)
    _refused(asking)


@pytest.mark.parametrize(
    ("responder", "code"),
    [
        (Responder(nonce=bytes(32)), "ocsp_nonce"),
        (Responder(repeats=False), "ocsp_nonce"),
        (Responder(about=(VENDOR.family, VENDOR.device_root)), "ocsp_unfit"),
        (Responder(signer=GpuVendor(b"\1" * 32).responder(VENDOR.family)), "ocsp_signature"),
        (Responder(signer=VENDOR.responder(VENDOR.rim_root)), "ocsp_signature"),
        (Responder(now=NOW - timedelta(days=2)), "fetched_not_in_force"),
        (Responder(now=NOW + timedelta(hours=1)), "fetched_not_in_force"),
    ],
    ids=["nonce", "no-nonce", "other-certificate", "stranger", "other-issuer", "old", "future"],
)
def test_network_an_answer_that_does_not_hold_or_fit_is_not_taken(responder, code, vendors, asking):
    serve(vendors, responder)
    assert _refused(asking).code == code
    kinds = {record.kind for record in Records(asking().directory).survey()[0]}
    assert "ocsp" not in kinds or code == "ocsp_unfit"


def test_a_responder_that_hands_out_stored_answers_is_configured_as_such(vendors, asking):
    serve(vendors, Responder(repeats=False))
    list(fetch_for(alone(), asking(ocsp_nonce=False)))
    assert _states(_supplied(asking()))["gpu-revocation"] == "passed"
    serve(vendors, Responder(nonce=bytes(32)))  # another one's nonce is wrong in any case
    with pytest.raises(NotAuthentic):
        list(fetch_for(alone(), asking(ocsp_nonce=False, fresh=True)))


@pytest.mark.parametrize("body", [b"", b"\x30\x03\x0a\x01\x06", b"<html>", b"\0" * 100])
def test_network_what_is_no_ocsp_answer_is_not_taken(body, vendors, asking):
    serve(vendors)
    vendors.answers = lambda _: body
    assert _refused(asking).code == "ocsp_malformed"


def test_network_no_byte_of_an_answer_can_be_changed(vendors, asking):
    serve(vendors)
    honest = Responder()
    for place in range(60, 700, 53):
        vendors.answers = lambda request, place=place: flipped(honest(request) or b"", place)
        try:
            list(fetch_for(alone(), asking()))
        except (NotAuthentic, Malformed):
            continue
        # The flip fell into what nobody needs to sign, such as the responder's own name.
        assert _states(_supplied(asking()))["gpu-revocation"] == "passed"


def test_an_answer_that_says_revoked_is_kept_and_the_verdict_says_so(vendors, asking):
    reason = x509.ReasonFlags.certificate_hold
    serve(vendors, Responder(revoked={"GSP BROM": reason}))
    list(fetch_for(alone(), asking()))
    assert _states(_supplied(asking()))["gpu-revocation"] == "failed"
    says = {r.subject["says"] for r in asking().records.survey()[0] if r.kind == "ocsp"}
    assert says == {"good", "certificateHold"}
    # It is not taken back by getting old, but by a newer answer.
    late = AT + 30 * 86400
    assert len(_supplied(asking(), at=late).ocsp) == 2
    vendors.answers = Responder(now=NOW + timedelta(hours=1))
    list(
        fetch_for(
            alone(),
            Asking(directory=asking().directory, web=asking().web, now=AT + 7200, fresh=True),
        )
    )
    assert _supplied(asking(), at=late).ocsp == ()


def test_chips_are_named_by_hash_in_the_index(vendors, asking):
    serve(vendors)
    list(fetch_for(alone(), asking()))
    index = "".join(p.read_text() for p in (asking().directory / "records").iterdir())
    for gpu in SCENE.gpus():
        serial = VENDOR.chip(gpu.name).certificate.serial_number
        assert f"{serial:x}" not in index
        assert str(serial) not in index


def test_host_a_version_that_is_no_id_is_not_asked_for(vendors, asking):
    from teeproof.evidence.fetch.nvidia import fetch_manifest

    for name in ("../../secret", "a b", "A?x=1", "A#b", "A/B", "", "A" * 200, "A\n", "%2e%2e"):
        with pytest.raises(Malformed):
            fetch_manifest(name, asking().web)
    assert vendors.asked == []


def test_a_service_that_fails_is_asked_again(vendors, asking, waits):
    serve(vendors)
    vendors.faults += [status(503), status(200, b"")]
    with pytest.raises(Malformed):
        list(fetch_for(alone(), asking()))
    assert waits == [1]
    list(fetch_for(alone(), asking()))


def test_manifests_of_two_boards_with_one_version_are_told_apart_by_id(asking):
    driver, vbios = rims()
    records = asking().records
    records.add("rim", {"manifest": vbios, "id": b"NV_GPU_VBIOS_9999_0200_882_X"})
    assert _supplied(asking()).manifests == ()
    records.add("rim", {"manifest": vbios, "id": VBIOS_ID.encode()})
    (given,) = _supplied(asking()).manifests
    assert strictjson.loads(given, limit=1 << 20)["id"] == VBIOS_ID
    records.add("rim", {"manifest": driver})
    assert driver in _supplied(asking()).manifests
    assert b64encode(vbios).decode() in given.decode()

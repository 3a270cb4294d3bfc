"""Files about GPUs: known by their bytes, put together with their machine, or refused."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest

import teeproof
from teeproof.core.errors import Malformed, NotAuthentic, Usage
from teeproof.evidence.files.bundles import gather
from teeproof.evidence.files.kinds import identify
from teeproof.evidence.nvidia import bundle, handed
from teeproof.evidence.nvidia.nonce import gpu_nonce
from teeproof.evidence.record import Evidence
from tests.evidence.scenes import NOW, PLATFORM, collateral, state
from tests.evidence.test_composite import bound, gpus, judge, policy, replace

GIVEN = state("gpus-beside")
ITEMS = json.loads(GIVEN.gpus or b"")
UNSIGNED, SIGNED = (
    f"{b64encode(json.dumps({'alg': name}).encode()).decode().rstrip('=')}.eyJ4IjoxfQ.{tail}"
    for name, tail in (("none", ""), ("ES384", "AAAA"))
)


def lay(folder: Path, given: Evidence, *, apart: bool = False) -> Path:
    """Write evidence into a folder, as files by other names than their kinds."""
    folder.mkdir(exist_ok=True)
    if not apart:
        (folder / "a").write_bytes(given.quote)
    if given.collateral:
        (folder / "b").write_text(json.dumps(given.collateral.to_json()))
    parts = [given.gpus, *given.manifests, *given.ocsp]
    for number, data in enumerate(part for part in parts if part):
        (folder / f"c{number}").write_bytes(data)
    return folder


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("gpu-evidence", json.dumps(ITEMS)),
        ("gpu-evidence", json.dumps(ITEMS[0])),
        ("gpu-evidence", json.dumps({"evidences": ITEMS})),
        ("gpu-evidence", json.dumps({"nonce": "00", "evidence_list": ITEMS, "arch": "HOPPER"})),
        ("gpu-manifest", GIVEN.manifests[0]),
        ("gpu-manifest", json.dumps({"id": "NV_1", "rim": b64encode(GIVEN.manifests[0]).decode()})),
        ("ocsp-answer", GIVEN.ocsp[0]),
    ],
)
def test_a_file_about_gpus_is_known_by_its_bytes(kind: str, data: bytes | str) -> None:
    data = data if isinstance(data, bytes) else data.encode()
    for name in ("file", "quote.bin", "policy.toml"):
        assert identify(data, name=name).kind == kind


@pytest.mark.parametrize(
    "shape",
    [
        lambda items: items,
        lambda items: {"evidences": items},
        lambda items: {"nonce": items[0]["nonce"], "arch": "HOPPER", "evidence_list": items},
    ],
)
def test_every_shape_of_the_evidence_is_verified_alike(shape: object) -> None:
    document = json.dumps(shape(ITEMS)).encode()  # type: ignore[operator]
    assert [d.report for d in bundle.parse(document)] == [
        d.report for d in bundle.parse(GIVEN.gpus or b"")
    ]
    assert judge(Evidence(quote=document)).exit_code == 0
    one = json.dumps(ITEMS[0]).encode()
    assert judge(Evidence(quote=one)).facts["gpus"] == 1


@pytest.mark.parametrize("copy", [{"nonce": "00" * 32}, {"arch": "BLACKWELL"}])
def test_network_changes_what_stands_beside_the_list(copy: dict[str, str]) -> None:
    document = json.dumps({"evidence_list": ITEMS, **copy}).encode()
    codes = [check.code for check in judge(Evidence(quote=document)).failures]
    assert codes == ["gpu_copy_differs"]


@pytest.mark.parametrize(
    "value",
    [{"evidences": ITEMS, "evidence_list": ITEMS}, {"evidence_list": []}, {"evidence_list": [7]},
     {"evidences": {}}, {"evidence_list": ITEMS * 17}, ITEMS[0] | {"certificate": 7}],
    ids=["two lists", "no device", "no object", "no list", "34 devices", "no text"],
)  # fmt: skip
def test_what_is_no_list_of_devices_is_refused(value: object) -> None:
    with pytest.raises(Malformed):
        bundle.parse(json.dumps(value))


@pytest.mark.parametrize("token", [UNSIGNED, SIGNED])
@pytest.mark.parametrize(
    "wrapped",
    [
        lambda token: json.dumps([["JWT", token], {"GPU-0": token}]),
        lambda token: json.dumps({"detached_eat": [["JWT", token], {"GPU-0": token}]}),
        lambda token: json.dumps({"evidence_list": [{"evidence": token, "certificate": ""}]}),
    ],
    ids=["list", "object", "as evidence"],
)
def test_operator_hands_over_a_verification_services_tokens(
    tmp_path: Path, token: str, wrapped: object
) -> None:
    (tmp_path / "tokens").write_text(wrapped(token))  # type: ignore[operator]
    with pytest.raises(NotAuthentic) as caught:
        teeproof.verify(tmp_path / "tokens", now=NOW)
    assert caught.value.code == ("gpu_token_unsigned" if token is UNSIGNED else "gpu_token")
    assert "Give the evidence itself" in caught.value.detail


@pytest.mark.parametrize("token", [UNSIGNED, SIGNED])
def test_a_token_by_itself_is_no_evidence_whoever_signed_it(tmp_path: Path, token: str) -> None:
    (tmp_path / "token").write_text(f"{token}\n")
    with pytest.raises(Usage) as caught:
        teeproof.verify(tmp_path / "token", now=NOW)
    assert caught.value.code == "not_evidence"


def test_tokens_beside_evidence_are_left_out_by_name(tmp_path: Path) -> None:
    folder = lay(tmp_path / "evidence", GIVEN)
    (folder / "nras.json").write_text(json.dumps([["JWT", SIGNED], {}]))
    (found,) = gather([folder])
    assert [name for name, _ in found.ignored] == ["nras.json"]


@pytest.mark.parametrize("data", [b"{}", b"spoilt", json.dumps([["JWT", SIGNED], {}]).encode()])
def test_host_cannot_hide_gpus_by_spoiling_their_file(tmp_path: Path, data: bytes) -> None:
    folder = lay(tmp_path / "evidence", replace(GIVEN, gpus=None))
    (folder / "gpus.json").write_bytes(data)
    with pytest.raises((Malformed, NotAuthentic)):
        gather([folder])
    (folder / "gpus.json").write_bytes(GIVEN.gpus or b"")
    assert gather([folder])[0].evidence.gpus == GIVEN.gpus


def test_a_folder_of_a_machine_and_its_gpus_is_one_bundle(tmp_path: Path) -> None:
    (found,) = gather([lay(tmp_path / "evidence", GIVEN)])
    for field in ("quote", "gpus", "collateral"):
        assert getattr(found.evidence, field) == getattr(GIVEN, field)
    for field in ("manifests", "ocsp"):
        assert sorted(getattr(found.evidence, field)) == sorted(getattr(GIVEN, field))
    asked = policy(rims=True, revocation=True, min_gpus=2)
    assert judge(found.evidence, asked).exit_code == 0


def test_loose_files_of_a_machine_and_its_gpus_are_one_bundle(tmp_path: Path) -> None:
    folder = lay(tmp_path / "evidence", GIVEN)
    (found,) = gather(sorted(folder.iterdir(), reverse=True))
    assert found.evidence.gpus == GIVEN.gpus
    assert len(found.evidence.ocsp) == len(GIVEN.ocsp)
    (beside,) = gather([lay(tmp_path / "machine", Evidence(quote=GIVEN.quote)), folder / "c0"])
    assert (beside.evidence.quote, beside.evidence.gpus) == (GIVEN.quote, GIVEN.gpus)


def test_gpus_without_a_machine_are_a_bundle_of_their_own(tmp_path: Path) -> None:
    folder = lay(tmp_path / "gpus", GIVEN, apart=True)
    (folder / "b").unlink()
    (found,) = gather([folder])
    assert (found.evidence.quote, found.evidence.gpus) == (GIVEN.gpus, None)
    assert len(found.evidence.manifests) == 2
    assert teeproof.verify(folder, policy=policy(), now=NOW).kind == "nvidia"


def test_gpus_and_switches_in_files_apart_are_counted_together(tmp_path: Path) -> None:
    for number, item in enumerate(ITEMS):
        (tmp_path / f"{number}").write_text(json.dumps([item]))
    (found,) = gather([tmp_path / "0", tmp_path / "1"])
    assert judge(found.evidence, policy(min_gpus=2)).exit_code == 0
    lay(tmp_path, replace(GIVEN, gpus=None))
    (beside,) = gather([tmp_path])
    assert beside.evidence.quote == GIVEN.quote
    assert judge(beside.evidence, policy(min_gpus=2)).facts["gpus"]["gpus"] == 2


def test_host_hides_a_differing_copy_by_joining_two_files() -> None:
    outside = json.dumps({"nonce": "00" * 32, "evidence_list": [ITEMS[0]]}).encode()
    with pytest.raises(Malformed, match="one nonce of a device"):
        bundle.joined(outside, json.dumps([ITEMS[1]]).encode())
    bare = {name: ITEMS[0][name] for name in ("evidence", "certificate")}
    outside = json.dumps({"nonce": "00" * 32, "evidence_list": [bare]}).encode()
    joined = bundle.joined(outside, json.dumps([ITEMS[1]]).encode())
    codes = [check.code for check in judge(Evidence(quote=joined)).failures]
    assert codes == ["gpu_copy_differs"]


def test_gpus_go_to_the_machine_whose_nonce_they_answer(tmp_path: Path) -> None:
    other_data = bytes(reversed(range(64)))
    one, other = bound(), bound(other_data)
    for name, given in (("one", one), ("other", other)):
        (tmp_path / f"{name}.quote").write_bytes(given.quote)
        (tmp_path / f"{name}.gpus").write_bytes(given.gpus or b"")
    for number, manifest in enumerate(GIVEN.manifests):
        (tmp_path / f"{number}.xml").write_bytes(manifest)
    found = {b.evidence.quote: b.evidence for b in gather(sorted(tmp_path.iterdir()))}
    assert {q: e.gpus for q, e in found.items()} == {g.quote: g.gpus for g in (one, other)}
    assert all(len(each.manifests) == 2 for each in found.values())
    stranger = tmp_path / "stranger.gpus"
    stranger.write_bytes(gpus(gpu_nonce(bytes(32))))
    with pytest.raises(Usage, match="fits none of the quotes"):
        gather(sorted(tmp_path.iterdir()))


def test_a_manifest_without_gpus_belongs_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "rim.xml").write_bytes(GIVEN.manifests[0])
    with pytest.raises(Usage, match="there is no quote"):
        gather([tmp_path / "rim.xml"])


@pytest.mark.parametrize(
    "value",
    [{"id": "x", "rim": "="}, {"id": "x", "rim": ""}, {"id": "x" * 201, "rim": "AAAA"}, {"id": "x"},
     {"rim": "AAAA"}, {"id": "x", "rim": "AAA\n"}],
)  # fmt: skip
def test_what_is_no_answer_of_the_service_is_refused(value: object) -> None:
    with pytest.raises(Malformed) as caught:
        handed.read(json.dumps(value).encode())
    assert caught.value.code == "rim_answer_malformed"


def test_a_manifest_is_the_same_by_itself_and_in_the_services_answer() -> None:
    xml = GIVEN.manifests[0]
    answer = json.dumps({"id": "NV_GPU_DRIVER_GH100_999.01", "rim": b64encode(xml).decode()})
    assert handed.read(answer.encode()).xml == handed.read(xml).xml == xml
    assert handed.read(answer.encode()).id == "NV_GPU_DRIVER_GH100_999.01"


def test_the_collateral_of_a_machine_is_found_beside_its_gpus(tmp_path: Path) -> None:
    assert PLATFORM.collateral(NOW) == collateral()
    (found,) = gather([lay(tmp_path / "evidence", GIVEN)])
    assert found.evidence.collateral == collateral()

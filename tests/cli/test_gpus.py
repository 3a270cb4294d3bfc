"""``teeproof`` and GPUs: verify, show, simulate, and one expectation changed for one command."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest

from teeproof.cli import main
from tests.vectors import records

TODAY = "2026-06-01"
IN_FORCE = "2024-06-01"  # when the manifests of these vectors were


def _written(folder: Path, name: str, *manifests: str) -> list[Path]:
    """Write a real report as NVIDIA's tools would, with its manifests beside it."""
    (record,) = [record for record in records("nvidia") if record.id == name]
    item = {
        "certificate": b64encode(record.read("cert_chain.txt")).decode(),
        "evidence": b64encode(bytes.fromhex(record.read("report.txt").decode().strip())).decode(),
    }
    paths = [folder / "gpus.json", *(folder / manifest for manifest in manifests)]
    paths[0].write_text(json.dumps([item]))
    for path in paths[1:]:
        path.write_bytes(record.read(path.name))
    return paths


# Name, manifests, T -> exit code under the policy nvidia, and codes of what failed.
REAL: list[tuple[str, tuple[str, ...], str, int, list[str]]] = [
    ("h100-535.86.09", (), TODAY, 0, []),
    ("h100-580.159.03-sdk", (), TODAY, 0, []),
    ("gb100-blackwell-575.32", (), TODAY, 0, []),
    ("h100-expired-rim-570.124.03", (), TODAY, 0, []),
    ("nvswitch-ls10", (), TODAY, 0, []),
    ("nvswitch-ls10", ("rim.xml",), "2026-10-01", 0, []),
    ("nvswitch-ls10", ("rim_invalid_signature.xml",), TODAY, 2, ["rim_digest"]),
    ("h100-535.86.09", ("vbios_rim.swidtag",), IN_FORCE, 0, []),
    ("h100-535.86.09", ("vbios_rim.swidtag",), TODAY, 2, ["rim_certificate_expired"]),
    ("h100-535.86.09", ("vbios_rim_mismatch.xml",), IN_FORCE, 2, ["gpu_measurement_mismatch"]),
    ("h100-535.86.09", ("driver_rim_tampered.xml",), TODAY, 2, ["rim_digest"]),
    ("h100-expired-rim-570.124.03", ("driver_rim_expired.xml",), TODAY, 2, ["rim_digest"]),
    ("h100-invalid-signature", (), TODAY, 2, ["gpu_fwid", "gpu_signature"]),
    ("nvswitch-invalid-signature", (), TODAY, 2, ["gpu_signature"]),
    ("h100-bad-chain-case2", (), TODAY, 2, ["gpu_chain_length"]),
]
LISTS = {
    "hopper_evidence": (0, []),
    "hopper_evidence_cert_hold": (0, []),  # nobody knows without an OCSP answer
    "multi_gpu_hopper_x4": (0, []),
    "gpu_evidence_hgx_x8": (0, []),
    "multi_switch_ls10_x4": (2, ["gpu_counted_twice"]),
}


@pytest.mark.usefixtures("vectors")
def test_every_real_vector_of_nvidia_is_verified_here() -> None:
    told = {name for name, *_ in REAL} | {"evidence-json", "roots-and-rims"}
    assert {record.id for record in records("nvidia")} == told
    (lists,) = [record for record in records("nvidia") if record.id == "evidence-json"]
    names = {path.stem for path in lists.path.glob("*.json")}
    assert names == {*LISTS, "dstack_nvattest_output_h100"}


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize(("name", "manifests", "at", "code", "codes"), REAL)
def test_real_gpu_evidence_gets_its_verdict_for_its_reason(
    teeproof, tmp_path, name, manifests, at, code, codes
):
    answer = teeproof("verify", *_written(tmp_path, name, *manifests), "--at", at, "--json")
    checks = {check["name"]: check for check in answer.json["checks"]}
    assert [c["code"] for c in checks.values() if c["state"] == "failed"] == codes
    assert answer.code == code
    assert answer.json["kind"] == "nvidia"
    assert answer.json["level"] == (None if code == 2 else "hardware")
    for name in ("gpu-mode", "gpu-host", "gpu-machine", "gpu-revocation"):
        assert checks[name]["state"] == "not_checked"


@pytest.mark.parametrize("name", LISTS)
def test_real_lists_of_devices_get_their_verdict(teeproof, vectors, name):
    path = vectors / "nvidia/evidence-json" / f"{name}.json"
    answer = teeproof("verify", path, "--at", TODAY, "--json")
    code, codes = LISTS[name]
    assert [c["code"] for c in answer.json["checks"] if c["state"] == "failed"] == codes
    assert answer.code == code


def test_as_many_gpus_as_the_option_asks_for_must_report(teeproof, vectors):
    path = vectors / "nvidia/evidence-json/gpu_evidence_hgx_x8.json"
    assert teeproof("verify", path, "--at", TODAY, "--set", "gpu.min_gpus=8").code == 0
    answer = teeproof("verify", path, "--at", TODAY, "--set", "gpu.min_gpus=9")
    assert answer.code == 4
    assert "✗ gpu-count" in answer.out
    asked = teeproof(
        "verify", path, "--at", TODAY, "--set", "gpu.rims=true", "--set", "gpu.min_gpus=8"
    )
    assert asked.code == 3
    assert "CANNOT TELL: manifests missing" in asked.out


def test_a_real_service_that_signs_nothing_is_refused(teeproof, vectors):
    path = vectors / "nvidia/evidence-json/dstack_nvattest_output_h100.json"
    answer = teeproof("verify", path, "--at", TODAY)
    assert answer.code == 2
    assert "tokens that nobody signed (alg: none)" in answer.err


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("gpu.min_gpu=8", "did you mean gpu.min_gpus?"),
        ("gpu.min_gpus=0", "must be a number from 1"),
        ("gpu.rims=false", "only true has a meaning"),
        ("gpu.nonce=00", "64 lower-case hex digits"),
    ],
)
def test_a_mistake_in_the_table_is_an_error_that_names_the_field(
    teeproof, beside, tmp_path, option, words
):
    answer = teeproof("verify", beside, "--set", option)
    assert (answer.code, words in answer.err) == (1, True), answer.err
    field, _, value = option.removeprefix("gpu.").partition("=")
    value = f'"{value}"' if field == "nonce" else value
    (tmp_path / "mine.toml").write_text(f"[gpu]\n{field} = {value}\n")
    answer = teeproof("policy", "check", tmp_path / "mine.toml")
    assert (answer.code, words in answer.err) == (1, True), answer.err


@pytest.fixture
def beside(teeproof, tmp_path):
    """Return a folder with a simulated machine and its GPUs."""
    folder = tmp_path / "evidence"
    assert teeproof("simulate", "gpus-beside", "--out", folder).code == 0
    return folder


def test_a_simulated_machine_and_its_gpus_have_one_verdict(teeproof, beside):
    names = {path.name for path in beside.iterdir()}
    assert {"quote.bin", "gpus.json", "manifest-0.xml", "ocsp-0.der", "policy.toml"} <= names
    answer = teeproof("verify", beside, "--policy", beside / "policy.toml")
    assert answer.code == 0, answer.out
    assert "✓ gpu-nonce" in answer.out
    assert "SIMULATED, AND ALLOWED AS SUCH" in answer.out
    strict = teeproof(
        "verify", beside, "--policy", beside / "policy.toml",
        "--set", "gpu.min_gpus=2", "--set", "gpu.rims=true", "--set", "gpu.revocation=true",
    )  # fmt: skip
    assert strict.code == 0, strict.out
    (beside / "gpus.json").unlink()
    gone = teeproof("verify", beside, "--policy", beside / "policy.toml", "--set", "gpu.min_gpus=2")
    assert gone.code == 4
    assert "✗ gpu-evidence" in gone.out


def test_the_options_that_accept_simulated_gpus_are_on_the_screen(teeproof, beside):
    answer = teeproof("verify", beside)
    assert answer.code == 4
    options = [line.strip() for line in answer.out.splitlines() if line.strip().startswith("--set")]
    assert [option.split("=")[0] for option in options] == [
        "--set simulated_roots", "--set gpu.simulated_roots"
    ]  # fmt: skip
    words = [word for option in options for word in option.split(" ")]
    assert teeproof("verify", beside, *words).code == 0


def test_simulated_gpus_alone_are_written_again_over_themselves(teeproof, tmp_path):
    folder = tmp_path / "gpus"
    for state, code in (("gpu-good", 0), ("gpu-rim-missing", 3), ("gpu-rim-unfit", 2)):
        assert teeproof("simulate", state, "--out", folder).code == 0
        answer = teeproof("verify", folder, "--policy", folder / "policy.toml")
        assert answer.code == code, answer.out
        assert "quote.bin" not in {path.name for path in folder.iterdir()}


def test_what_files_about_gpus_claim_is_shown_unverified(teeproof, beside):
    shown = teeproof("show", beside / "gpus.json", "--json").json
    assert (shown["kind"], shown["verified"], len(shown["devices"])) == ("gpu-evidence", False, 2)
    assert shown["devices"][0]["driver"] == "999.01"
    shown = teeproof("show", beside / "manifest-0.xml", "--json").json
    assert (shown["product"], shown["version"]) == ("GH100", "999.01")
    shown = teeproof("show", beside / "ocsp-0.der", "--json").json
    assert shown["says"] == "good"
    for name in ("gpus.json", "manifest-0.xml", "ocsp-0.der"):
        assert teeproof("show", beside / name).code == 0


def test_gpus_are_never_called_confidential_on_the_screen(teeproof, vectors):
    path = vectors / "nvidia/evidence-json/hopper_evidence.json"
    answer = teeproof("verify", path, "--at", TODAY)
    assert "confidential  unknown: no report shows whether the GPUs" in answer.out
    assert "level         hardware" in answer.out


def test_endorsements_of_intels_are_none_of_gpus(vectors, tmp_path, capsys):
    path = vectors / "nvidia/evidence-json/hopper_evidence.json"
    assert main(["verify", str(path), "--endorsements", str(tmp_path)]) == 1
    assert "NVIDIA's manifests and OCSP answers" in " ".join(capsys.readouterr().err.split())

"""One verdict of all that a machine hands over: quote, log, compose file, GPUs, keys and nonce."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import teeproof as library
from teeproof.core.errors import Usage
from teeproof.evidence.collect.simulated import opt_in_policy
from teeproof.proof.blobs import blobs_of
from teeproof.proof.workload import Identity
from tests.cli.conftest import AT
from tests.proof.people import NOW, attester, platform

MACHINE = Identity.boot(attester(state="gpus-beside"), now=lambda: NOW, nonce="mine")
STRANGER = Identity.boot(attester(state="gpus-beside"), now=lambda: NOW, nonce="mine")


def _lay(folder: Path, keys: bytes | None) -> Path:
    folder.mkdir()
    evidence = MACHINE.record.evidence(MACHINE.blobs.__getitem__)
    for name, data in blobs_of(evidence).items():
        (folder / name).write_bytes(data)
    if keys is not None:
        (folder / "keys.json").write_bytes(keys)
    (folder.parent / "policy.toml").write_text(opt_in_policy(platform()))
    return folder


def _checks(answer) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in answer.json["checks"]}


def test_machine_log_application_gpus_nonce_and_keys_have_one_verdict(teeproof, tmp_path):
    folder = _lay(tmp_path / "evidence", MACHINE.record.keys.encode())
    answer = teeproof(
        "verify", folder, "--at", AT, "--policy", tmp_path / "policy.toml", "--json",
        "--set", "nonce=mine", "--set", f"keyset_digest={MACHINE.record.keyset_digest}",
        "--set", "event_log=true", "--set", "gpu.min_gpus=2", "--set", "gpu.rims=true",
        "--set", "gpu.revocation=true",
    )  # fmt: skip
    assert answer.code == 0, answer.json
    checks = _checks(answer)
    for name in (
        "quote-signature", "second-path-signatures", "event-log-replay", "compose", "report-data",
        "keyset", "gpu-signature", "gpu-measurements", "gpu-unrevoked", "gpu-nonce", "gpu-count",
    ):  # fmt: skip
        assert checks[name]["state"] == "passed", name
    assert checks["keyset"]["got"] == MACHINE.record.keyset_digest
    assert answer.json["subject"] == MACHINE.record.claim.evidence[0].id


def test_a_nonce_that_came_along_makes_the_check_possible_and_shows_no_freshness(
    teeproof, tmp_path
):
    folder = _lay(tmp_path / "evidence", MACHINE.record.encode())
    verify = ("verify", folder, "--at", AT, "--policy", tmp_path / "policy.toml", "--json")
    check = _checks(teeproof(*verify))["keyset"]
    assert (check["state"], "shows no freshness" in check["detail"]) == ("passed", True)
    (folder / "keys.json").write_bytes(MACHINE.record.keys.encode())
    check = _checks(teeproof(*verify))["keyset"]
    assert (check["state"], "nobody says which nonce" in check["detail"]) == ("not_checked", True)


@pytest.mark.parametrize("form", ["record", "document"])
def test_network_puts_other_keys_beside_a_machine(teeproof, tmp_path, form):
    keys = STRANGER.record.encode() if form == "record" else STRANGER.record.keys.encode()
    folder = _lay(tmp_path / "evidence", keys)
    named = ("--set", "nonce=mine", "--set", f"keyset_digest={MACHINE.record.keyset_digest}")
    answer = teeproof(
        "verify", folder, "--at", AT, "--policy", tmp_path / "policy.toml", "--json", *named
    )
    assert answer.code == 2
    assert [c["code"] for c in answer.json["checks"] if c["state"] == "failed"] == [
        "keyset_not_in_quote"
    ]
    assert answer.json["facts"] == {}


def test_two_files_of_different_keys_are_an_error(teeproof, tmp_path):
    folder = _lay(tmp_path / "evidence", MACHINE.record.encode())
    (folder / "others.json").write_bytes(STRANGER.record.keys.encode())
    answer = teeproof("verify", folder, "--at", AT, "--json")
    assert (answer.code, answer.json["error"]) == (1, "pieces_differ")
    (folder / "others.json").write_bytes(MACHINE.record.keys.encode())
    assert "error" not in teeproof("verify", folder, "--at", AT, "--json").json


def test_keys_are_never_passed_over_in_silence(tmp_path):
    folder = _lay(tmp_path / "evidence", MACHINE.record.keys.encode())
    with pytest.raises(Usage) as caught:
        library.load(folder)
    assert caught.value.code == "key_document_unread"


def test_a_key_document_that_is_none_is_an_error(teeproof, tmp_path):
    broken = json.loads(MACHINE.record.keys.encode()) | {"not_after": 0}
    folder = _lay(tmp_path / "evidence", json.dumps(broken).encode())
    assert teeproof("verify", folder, "--at", AT).code == 2


def test_what_key_documents_claim_is_shown(teeproof, tmp_path):
    folder = _lay(tmp_path / "evidence", MACHINE.record.keys.encode())
    shown = teeproof("show", folder / "keys.json", "--json").json
    assert (shown["kind"], shown["keyset"]) == ("key-document", MACHINE.record.keyset_digest)

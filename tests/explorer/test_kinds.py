"""Whatever ``teeproof verify`` understands, the page understands: with the same answer, told."""

from __future__ import annotations

import json

import pytest

from teeproof.cli import main
from teeproof.cli.explorer_desk import ExplorerDesk
from teeproof.evidence.policy import parse_policy
from teeproof.explorer.app import make_app
from tests.explorer.conftest import ask

STATES = {
    "up-to-date": "an Intel TDX machine",
    "snp-up-to-date": "an AMD SEV-SNP machine",
    "nitro-in-order": "an AWS Nitro enclave",
    "gpu-good": "NVIDIA GPUs",
    "tpm-in-order": "a machine with a TPM",
    "azure-tdx-in-order": "an Azure machine on Intel TDX",
    "azure-snp-in-order": "an Azure machine on AMD SEV-SNP",
    "cca-in-order": "an Arm CCA realm",
    "quote-body-flipped": "an Intel TDX machine",
    "nitro-edited": "an AWS Nitro enclave",
    "tpm-quote-edited": "a machine with a TPM",
    "cca-realm-forged": "an Arm CCA realm",
}


@pytest.mark.parametrize("state", STATES)
def test_every_kind_is_judged_as_the_command_judges_it(state, tmp_path, capsys):
    folder = tmp_path / "evidence"
    assert main(["simulate", state, "--out", str(folder)]) == 0
    capsys.readouterr()
    code = main(["verify", str(folder), "--policy", str(folder / "policy.toml"), "--json"])
    wanted = json.loads(capsys.readouterr().out)
    desk = ExplorerDesk(policy=parse_policy((folder / "policy.toml").read_bytes()), logs=None)
    app = make_app(None, command=str, desk=desk)
    used = {one["name"] for one in wanted["input"]["files"]}
    files = [("file", (name, (folder / name).read_bytes())) for name in sorted(used)]
    told = ask(app, "POST", "/verify.json", files=files, data={"policy": "own"}).json()
    assert (told["exit_code"], told["verdict"]["kind"]) == (code, wanted["kind"])
    assert told["verdict"]["level"] == wanted["level"]
    states = [(check["name"], check["state"]) for check in wanted["checks"]]
    assert [(one["name"], one["state"]) for one in told["verdict"]["checks"]] == states
    assert STATES[state] in told["told"]["sentence"]
    read = told["told"]["answers"][2]["points"]["Could their operator read it?"]
    assert read.startswith("Assume yes")  # of a simulator nothing else may ever be said
    page = ask(app, "GET", told["page"])
    assert page.status_code == 200
    assert "What was not checked?" in page.text

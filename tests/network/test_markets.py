"""Whose word a market's statements are, where the reader's policy refuses a machine."""

from __future__ import annotations

from contextlib import closing

import msgspec
import pytest

from teeproof.evidence.collect.simulated import opt_in_policy
from teeproof.evidence.policy import parse_policy
from teeproof.evidence.verdict import failed
from teeproof.network.markets import KINDS, audit_markets
from teeproof.proof.file import ProofFile, export
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.source import read_record
from teeproof.proof.verify import Trust, verify_proof
from tests.network.scenes import Scene, platform


@pytest.mark.parametrize("name", ["compose-hash", "guest-image", "mrtd"])
def test_host_of_any_guest_does_not_speak_in_an_honest_markets_name(tmp_path, name):
    (tmp_path / "state").mkdir()
    with Log.create(tmp_path / "log", origin="log.example/markets") as log:
        scene = Scene(tmp_path / "state", store=Contents(log))  # type: ignore[arg-type]
        scene.node("one", price="10")
        log.publish()
        scene.ledger.close()
        with closing(Contents(log)) as contents:
            every = [one for one in contents.statements()
                     if read_record(contents.statement(one) or b"").type in KINDS]  # fmt: skip
            export(contents, every, tmp_path / "market.proof", allow_missing=True)
    with ProofFile.open(tmp_path / "market.proof") as proof:
        reads = [read for one in proof.statement_ids if (read := proof.read(one)) is not None]
        policy = parse_policy(opt_in_policy(platform()))
        verdict = verify_proof(proof, now=scene.clock(), trust=Trust(policy=policy))
    ((found,), _) = audit_markets(reads, verdict)
    assert found.code is not None
    refused = failed(name, "another", "your policy lists another", "policy")
    people = tuple(
        one if one.evidence is None else msgspec.structs.replace(
            one, evidence=msgspec.structs.replace(
                one.evidence, checks=(*one.evidence.checks, refused), ok=False
            )
        )
        for one in verdict.identities
    )  # fmt: skip
    ((found,), _) = audit_markets(reads, msgspec.structs.replace(verdict, identities=people))
    assert (found.code, len(found.identities)) == (None, 1)

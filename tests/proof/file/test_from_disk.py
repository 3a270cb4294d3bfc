"""A log's directory is exported as memory is, and day after day gives one and the same file."""

from __future__ import annotations

from pathlib import Path

from teeproof.proof.file import ProofFile, export, merge, tlog_proof
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.formats.merkle import roots
from teeproof.proof.log.storage.log import Log
from tests.proof.file import scenes

ALICE, CAROL = scenes.person("alice"), scenes.person("carol")


def sound(file: ProofFile) -> None:
    for part in file.logs:
        found = roots(file.leaves(part), part.nodes, part.sizes)
        assert found == {s.checkpoint.size: s.checkpoint.root for s in part.checkpoints}


def test_a_proof_from_a_log_on_disk_holds_what_the_log_says(tmp_path: Path):
    with Log.create(tmp_path / "log", origin="log.example/a") as log:
        held = Contents(log)
        for person in (ALICE, CAROL):
            held.add_identity(person.record.encode(), person.blobs)
        model = held.add_statement(scenes.step(ALICE, "model"))
        held.publish()
        export(held, [model], tmp_path / "early.proof")
        answer = held.add_statement(scenes.receipt(CAROL, "answer", inputs=[("model", model)]))
        for number in range(300):
            held.add_statement(scenes.step(ALICE, str(number)))
        held.publish()
        export(held, [answer], tmp_path / "late.proof")
        with (
            ProofFile.open(tmp_path / "early.proof") as early,
            ProofFile.open(tmp_path / "late.proof") as late,
        ):
            for file in (early, late):
                sound(file)
                assert file.missing_edges() == ()
            assert set(late.statement_ids) == {model, answer}
            assert late.logs[0].sizes == (3, 304)
            assert tlog_proof(late, answer) == tlog_proof(held, answer)
            merge([early, late], tmp_path / "both.proof")
        export(held, [model, answer], tmp_path / "whole.proof")
        held.close()
    assert (tmp_path / "both.proof").read_bytes() == (tmp_path / "whole.proof").read_bytes()

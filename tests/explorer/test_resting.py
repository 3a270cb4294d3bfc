"""How a statement stands among others of one proof: by all that it rests on, and nothing else."""

from __future__ import annotations

import base64
from typing import Any

from teeproof.core.digests import named, sha256
from teeproof.explorer.log.together import failed_below
from teeproof.explorer.made.standing import standing_of
from teeproof.proof.file import ProofFile
from teeproof.proof.verify import ProofVerdict, Trust, verify_proof
from tests.explorer.forging import body_of, dumps, proof_of, workload
from tests.proof.people import NOW, policy

A, B, C, D = ("ab" * 32, "bc" * 32, "cd" * 32, "de" * 32)


def made(author: Any, output: str, *inputs: dict[str, Any]) -> bytes:
    """The payload of a step with one output."""
    return dumps(body_of(
        author, subject=[{"digest": {"sha256": output}}],
        predicate={"author": author.name, "step": "x"}
        | ({"materials": list(inputs)} if inputs else {}),
    ))  # fmt: skip


def of(digest: str, **more: Any) -> dict[str, Any]:
    return {"digest": {"sha256": digest}, "role": "x"} | more


def judged(proof: bytes) -> ProofVerdict:
    with ProofFile.from_bytes(proof) as file:
        return verify_proof(file, now=NOW, trust=Trust(policy=policy()))


def codes(verdict: ProofVerdict, payload: bytes) -> set[str | None]:
    """What failed of a statement and below it; how it is told says the same."""
    name = named(sha256(payload))
    found = {check.code for check in failed_below(verdict, name)}
    assert standing_of(verdict, name).ok == (not found)
    return found


def test_author_makes_statements_of_each_other_and_what_is_made_of_them_does_not_hold():
    author = workload()
    one, other = made(author, A, of(B)), made(author, B, of(A))
    above, beside = made(author, C, of(A)), made(author, D)
    verdict = judged(proof_of([one, other, above, beside], author))
    assert not verdict.ok
    assert codes(verdict, above) == {"cycle"}
    assert codes(verdict, one) == {"cycle"}
    assert codes(verdict, beside) == set(), "it was not made of them"


def test_author_makes_a_statement_of_a_forged_one_and_it_does_not_hold():
    author = workload()
    forged, beside = made(author, A), made(author, D)
    above = made(author, B, of(A, statement=named(sha256(forged))))

    def change(envelope: dict[str, Any]) -> None:
        if envelope["payload"] == base64.b64encode(forged).decode():
            envelope["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()

    verdict = judged(proof_of([forged, above, beside], author, change=change))
    assert codes(verdict, above) == codes(verdict, forged) == {"signature_mismatch"}
    assert codes(verdict, beside) == set()
    true = judged(proof_of([forged, above, beside], author))
    assert codes(true, above) == set()

"""Judge files for the explorer's verify page: what ``teeproof verify`` understands, in its words.

Nothing is fetched: endorsements come from beside the evidence, or from the archive in the data
directory. A policy is one of the built-in ones, or the one that the explorer was started with.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from teeproof.cli.asked import Asked, trust_of
from teeproof.cli.claims import claims
from teeproof.cli.evidence.collect import files_of
from teeproof.cli.keys_beside import with_keys
from teeproof.cli.options import time_of
from teeproof.cli.pieces import pieces_of
from teeproof.cli.pointed import answer_about, is_pointed_elsewhere
from teeproof.cli.quoting import shell
from teeproof.cli.screen import Screen
from teeproof.cli.verify import Answer, verify_bundle
from teeproof.core import strictjson
from teeproof.core.errors import Error, TooLarge, Usage
from teeproof.core.reading import peek, read_bounded
from teeproof.evidence.files.bundles import gather
from teeproof.evidence.files.kinds import Piece, identify
from teeproof.evidence.files.reading import read_pieces
from teeproof.evidence.policy import BUILT_IN, Policy, load_policy
from teeproof.evidence.record import Evidence
from teeproof.explorer.desk import (
    Choice,
    Judged,
    JudgedEvidence,
    JudgedOther,
    JudgedProof,
    LaidOut,
)

__all__ = ["OWN", "ExplorerDesk"]

OWN = "own"
"""The name under which the policy stands that the explorer was started with."""

_IDENTITY = "identity.json"  # what an identity's record is called beside its evidence
_ZIP = b"PK\x03\x04"
_MAX_PROOF_BYTES = 64 << 20
_MOST_ANSWER = 4 << 20
_MOST_STATEMENTS = 20_000  # of a proof that is judged for a page; larger ones are for the command


class ExplorerDesk:
    """Judges files.

    Args:
        policy: the operator's own expectations, offered as ``own`` and used for proofs; or what
            returns them, where they grow with what runs.
        words: how the operator named policy and logs, to be repeated in commands.
        logs: a tlog-policy file of trusted logs and witnesses.
        environment: names the data directory with the archive.
    """

    def __init__(
        self,
        *,
        policy: Policy | Callable[[], Policy] | None,
        logs: Path | None,
        words: Sequence[str | Path] = (),
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._own, self._logs, self._words = policy, logs, tuple(words)
        self._environment = environment

    @property
    def _policy(self) -> Policy | None:
        return self._own() if callable(self._own) else self._own

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The operator's own policy, if there is one, and the built-in ones."""
        own = () if self._policy is None else (
            Choice(name=OWN, description=f"this explorer's own ({self._policy.name})"),
        )  # fmt: skip
        named = (load_policy(name) for name in BUILT_IN)
        return (*own, *(Choice(name=one.name, description=one.description) for one in named))

    def judge(self, files: Sequence[Path], *, policy: str, at: str) -> Judged:
        """Return what comes of files that belong together; raises what ``verify`` raises."""
        chosen = self._chosen(policy)
        proofs = [file for file in files if peek(file, 4) == _ZIP]
        if proofs:
            return self._proof(proofs[0], files, chosen, at)
        if is_pointed_elsewhere(files):
            return self._other(files, chosen, at)
        return self._evidence(files, chosen, policy, at)

    def lay_out(
        self, evidence: Evidence, *, identity: bytes, folder: str, at: str | None, simulated: bool
    ) -> LaidOut:
        """Return evidence as files, and what each of them claims."""
        files = {**pieces_of(evidence), _IDENTITY: identity}
        marked = files_of(evidence, simulated=simulated) | files
        words = (*(self._words[:2] if self._policy is not None else ()),
                 *(("--at", at) if at else ()))  # fmt: skip
        commands = (shell("tar", "xf", Path(f"{folder}.tar")),
                    shell("teeproof", "verify", Path(folder), *words))  # fmt: skip
        quotes: dict[bytes, str] = {}
        told = [_told(name, quotes, partial(identify, data)) for name, data in files.items()]
        return LaidOut(files=marked, claims=tuple(msgspec.to_builtins(told)), commands=commands)

    def _chosen(self, name: str) -> Policy | None:
        if not name:
            return None
        if name == OWN and self._policy is not None:
            return self._policy
        if name not in BUILT_IN:  # never a path: it came from a client
            raise Usage(
                "there is no such policy here", code="policy_unknown",
                expected=", ".join(choice.name for choice in self.choices), got=name[:40],
            )  # fmt: skip
        return load_policy(name)

    def _proof(
        self, file: Path, files: Sequence[Path], policy: Policy | None, at: str
    ) -> JudgedProof:
        import teeproof.cli.chapters  # noqa: F401, PLC0415  every kind of statement, and its judge
        from teeproof.proof.file import ProofFile  # noqa: PLC0415  only for proofs
        from teeproof.proof.verify import verify_proof  # noqa: PLC0415

        if len(files) > 1:
            raise Usage(
                "a proof is checked alone: hand it in without other files",
                code="files_do_not_belong", expected=file.name, got=f"{len(files)} files",
            )  # fmt: skip
        data = read_bounded(file, limit=_MAX_PROOF_BYTES, what="proof")
        asked = self._asked((file,), policy or self._policy, at)
        with ProofFile.from_bytes(data) as proof:
            if len(proof.statement_ids) > _MOST_STATEMENTS:
                raise TooLarge(
                    "this proof is too large for a page: run teeproof verify on your own machine",
                    expected=f"at most {_MOST_STATEMENTS} statements",
                    got=f"{len(proof.statement_ids)}",
                )
            verdict = verify_proof(proof, now=asked.now, trust=trust_of(asked))
        command = shell("teeproof", "verify", Path(file.name), *self._words)
        return JudgedProof(name=file.name, data=data, verdict=verdict, command=command)

    def _other(self, files: Sequence[Path], policy: Policy | None, at: str) -> JudgedOther:
        stream = io.StringIO()
        screen = Screen(stream, color=False, width=120)
        answer_about(screen, self._asked(tuple(files), policy or self._policy, at))
        answer = strictjson.loads(stream.getvalue(), limit=_MOST_ANSWER, what="answer")
        names = [Path(file.name) for file in files]
        logs = () if self._logs is None else ("--logs", self._logs)
        return JudgedOther(name=files[0].name, answer=answer,
                           command=shell("teeproof", "verify", *names, *logs))  # fmt: skip

    def _asked(self, files: tuple[Path, ...], policy: Policy | None, at: str) -> Asked:
        return Asked(
            files=files, policy=policy, author_policy=None, logs=self._logs, blocks=(),
            now=time_of(at or None), every=False, as_json=True,
        )  # fmt: skip

    def _evidence(
        self, files: Sequence[Path], policy: Policy | None, named: str, at: str
    ) -> JudgedEvidence:
        bundles = [with_keys(bundle) for bundle in gather(files)]
        if len(bundles) > 1:
            raise Usage(
                "these are several machines' evidence: hand in one at a time, with its own files",
                code="files_do_not_belong", expected="one quote", got=f"{len(bundles)} quotes",
            )  # fmt: skip
        answer = verify_bundle(
            bundles[0], policy=policy, now=time_of(at or None), environment=self._environment
        )
        words = self._words[:2] if named == OWN else ("--policy", named) if named else ()
        as_of = ("--at", at) if at else ()
        names = [Path(file.name) for file in files]
        return JudgedEvidence(
            name=answer.bundle.name,
            files=tuple((file.name, file.read_bytes()) for file in files),
            verdict=answer.verdict, claims=_claims(files),
            rows=_rows(answer), command=shell("teeproof", "verify", *names, *words, *as_of),
        )  # fmt: skip


def _claims(files: Sequence[Path]) -> tuple[dict[str, Any], ...]:
    """Return what each file claims; a file that cannot be told apart says why."""
    quotes: dict[bytes, str] = {}
    pieces = read_pieces(list(files))
    found = [_told(one.name, quotes, lambda *, name, one=one: one) for one in pieces]
    return tuple(msgspec.to_builtins(found))


def _told(name: str, quotes: dict[bytes, str], piece: Callable[..., Piece]) -> dict[str, Any]:
    """Return what a file claims, or why nobody can tell."""
    kind = "file"
    try:
        read = piece(name=name)
        kind = read.kind
        return claims(read, quotes=quotes)
    except Error as error:
        return {"kind": kind, "name": name, "problem": error.detail}


def _rows(answer: Answer) -> tuple[tuple[str, str], ...]:
    """Return what the terminal says of how the verdict came about."""
    bundle, how = answer.bundle, answer.verdict.provenance
    rows = [
        ("as of", how.time),
        ("policy", f"{how.policy} {how.policy_digest[:23]}…"),
        ("endorsements", answer.endorsing.words()),
        ("files", ", ".join(name for _, name in bundle.files)),
        *(("ignored", f"{name}: {why}") for name, why in bundle.ignored),
        *(("remark", text) for text in (*bundle.remarks, *answer.endorsing.remarks)),
    ]
    return tuple(rows)

"""The answer: a list of named checks, how strong the evidence is, and how the answer was reached.

A check has *passed*, has *failed*, or was *not checked*; the last is never shown as a success. The
checks stand in reading order, authenticity before policy.

Trusts: nothing; it only records.  Does not trust: a verdict that someone else hands over.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

from teeproof.core import strictjson
from teeproof.core.digests import framed_sha256, named
from teeproof.core.errors import Malformed, NotAuthentic

__all__ = [
    "Check",
    "Concern",
    "Level",
    "Provenance",
    "State",
    "Verdict",
    "failed",
    "not_checked",
    "passed",
    "summary",
]

State = Literal["passed", "failed", "not_checked"]
Concern = Literal["authenticity", "availability", "policy"]
Level = Literal["hardware", "measured", "simulated"]

MAX_VERDICT_BYTES = 1 << 20
# The checks that the policy accepts a simulator's roots: of a machine, and of its GPUs.
SIMULATED_ROOTS = frozenset({"simulated-root", "gpu-simulated-root"})


class Check(msgspec.Struct, frozen=True, gc=False):
    """One named check.

    Attributes:
        name: what users see and scripts match, ``kebab-case``.
        state: passed, failed or not checked.
        detail: one sentence for people.
        concern: whether a failure means "not authentic" (exit 2), "cannot be told, something is
            missing" (exit 3) or "not allowed" (exit 4).
        code: of a failure, its stable ``snake_case`` name.
        expected: what would have passed, as text.
        got: what was found, as text.
    """

    name: str
    state: State
    detail: str
    concern: Concern = "authenticity"
    code: str | None = None
    expected: str | None = None
    got: str | None = None


def passed(
    name: str, detail: str, concern: Concern = "authenticity", *, got: str | None = None
) -> Check:
    """Return a check that held."""
    return Check(name, "passed", detail, concern, None, None, got)


def failed(
    name: str,
    code: str,
    detail: str,
    concern: Concern = "authenticity",
    *,
    expected: str | None = None,
    got: str | None = None,
) -> Check:
    """Return a check that did not hold, with both sides of the difference."""
    return Check(name, "failed", detail, concern, code, expected, got)


def not_checked(
    name: str, detail: str, concern: Concern = "authenticity", *, got: str | None = None
) -> Check:
    """Return a check that was not made, with the reason in one sentence."""
    return Check(name, "not_checked", detail, concern, None, None, got)


def summary(code: int, level: str | None, *, lacking: str = "something needed is missing") -> str:
    """Return a verdict in a few words, on one piece of evidence or on a whole proof.

    Args:
        code: its exit code.
        level: what stands behind it.
        lacking: what is missing, where the code is 3.
    """
    if code == 2:
        return "NOT AUTHENTIC"
    if code == 3:
        return f"CANNOT TELL: {lacking}"
    if level == "simulated":
        return "SIMULATED, NOT ALLOWED" if code else "SIMULATED, AND ALLOWED AS SUCH"
    return "AUTHENTIC, NOT ALLOWED" if code else "AUTHENTIC AND ALLOWED"


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """How a verdict was reached: enough to reach it again, or to see why another differs.

    Attributes:
        verifier: name and version of this program.
        second_path: name and version of the other verifier that ran, if one did.
        policy: the policy's name.
        policy_digest: ``sha256:…`` of the policy's canonical form.
        roots_digest: ``sha256:…`` of the pinned root keys.
        endorsements_digest: ``sha256:…`` of the collateral that was used, if there was any.
        tcb_evaluation_number: Intel's ``tcbEvaluationDataNumber`` of that collateral.
        inputs_digest: ``sha256:…`` of all else that came in: the quote's very bytes, event log,
            compose file, MrConfigV3 document, certificate, the channel's key, whether the second
            path was asked for, of SEV-SNP the certificates, the evidence of GPUs with manifests and
            OCSP answers, and the key document's digest with the nonce that came along.
        replay_memory: whether the verifier was told what it had accepted before.
        time: the T that the verdict speaks of, RFC 3339.
    """

    verifier: str
    second_path: str | None
    policy: str
    policy_digest: str
    roots_digest: str
    endorsements_digest: str | None
    tcb_evaluation_number: int | None
    inputs_digest: str
    replay_memory: bool
    time: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a relying party may believe about one piece of evidence, and why.

    Attributes:
        type: always ``urn:teeproof:verdict:v1``.
        subject: the evidence's identity (``sha256:…``), the same for all its malleable twins.
        kind: of the machine's evidence, one of ``recognise.Kind``; ``nvidia`` of GPUs whose machine
            is unknown.
        ok: true if no check failed.
        level: ``hardware``, ``measured`` or ``simulated``; None where no root vouches for it.
        confidential: whether the machine keeps the workload's memory from its host.
        checks: in reading order.
        facts: what the verified evidence establishes; empty where nothing is established.
        provenance: how the verdict was reached.
    """

    type: Literal["urn:teeproof:verdict:v1"] = "urn:teeproof:verdict:v1"
    subject: str | None
    kind: str
    ok: bool
    level: Level | None
    confidential: bool
    checks: tuple[Check, ...]
    facts: dict[str, Any]
    provenance: Provenance

    @property
    def authentic(self) -> bool:
        """Whether nothing failed that authenticity rests on.

        Anyone can make a root that is marked as a simulator's: what hangs on one is authentic only
        if the policy accepts that very root.
        """
        if self.level == "simulated" and not self._accepts_simulator:
            return False
        return not any(c.concern != "policy" for c in self.failures)

    @property
    def exit_code(self) -> Literal[0, 2, 3, 4]:
        """0 good, 2 not authentic, 3 something needed is missing, 4 not what the policy allows.

        A simulator's root that the policy does not accept is 4: no more is wrong than the opt-in.
        """
        concerns = {c.concern for c in self.failures}
        if "authenticity" in concerns:
            return 2
        if "availability" in concerns:
            return 3
        return 4 if concerns else 0

    def __str__(self) -> str:
        """Return it in one line, for people."""
        counts = {state: sum(c.state == state for c in self.checks) for state in get_args(State)}
        return (
            f"{summary(self.exit_code, self.level)} · checks:"
            f" {counts['passed']} passed, {counts['failed']} failed,"
            f" {counts['not_checked']} not checked"
        )

    def __bool__(self) -> bool:
        """Raise TypeError: ``if verify(…)`` would let every refusal through. Ask for ``.ok``."""
        raise TypeError("a verdict is neither true nor false: ask for verdict.ok")

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed, in reading order."""
        return tuple(c for c in self.checks if c.state == "failed")

    def check(self, name: str) -> Check:
        """Return the check with this name; KeyError if the verdict has none."""
        for candidate in self.checks:
            if candidate.name == name:
                return candidate
        raise KeyError(name)

    @property
    def _accepts_simulator(self) -> bool:
        states = [check.state for check in self.checks if check.name in SIMULATED_ROOTS]
        return bool(states) and all(state == "passed" for state in states)

    @property
    def key(self) -> str | None:
        """The cache key: no verdict may be replayed for other inputs, another policy or T.

        None if a replay memory was asked. Such a verdict holds for that memory at that moment, so
        it may not be kept for later.
        """
        how = self.provenance
        if how.replay_memory:
            return None
        parts = (
            self.subject or "",
            how.policy_digest,
            how.roots_digest,
            how.endorsements_digest or "",
            how.inputs_digest,
            how.time,
            how.verifier,
            how.second_path or "",
        )
        return named(framed_sha256("teeproof.verdict-key.v2", *(part.encode() for part in parts)))

    def require_subject(self, evidence_id: str) -> None:
        """Raise NotAuthentic if this verdict speaks of other evidence."""
        if self.subject != evidence_id:
            raise NotAuthentic(
                "this verdict speaks of other evidence: verify the evidence itself",
                code="verdict_of_another_subject",
                expected=evidence_id,
                got=self.subject,
            )

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        return body | {name: getattr(self, name) for name in _DERIVED}

    @classmethod
    def from_json(cls, data: bytes | str) -> Verdict:
        """Return a verdict saved as JSON. It proves nothing: only its maker knows it is true.

        Raises:
            Malformed: not a verdict, or one whose summary contradicts its checks.
        """
        value = strictjson.loads(data, limit=MAX_VERDICT_BYTES, what="verdict")
        if not isinstance(value, dict):
            raise _malformed(f"Expected `object`, got `{type(value).__name__}`")
        summary = {name: value.pop(name) for name in _DERIVED if name in value}
        try:
            verdict = msgspec.convert(value, cls, strict=True)
        except msgspec.ValidationError as error:
            raise _malformed(str(error)) from None
        derived = {name: getattr(verdict, name) for name in summary}
        if summary != derived or verdict.ok is bool(verdict.failures):
            raise _malformed("its summary contradicts its checks")
        return verdict


_DERIVED = ("authentic", "exit_code", "key")


def _malformed(why: str) -> Malformed:
    return Malformed("this is not a verdict", code="verdict_malformed", got=why)

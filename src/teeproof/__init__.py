"""Say things from inside trusted hardware, and check what others say: offline, check by check.

    import teeproof as tp

    verdict = tp.verify("evidence/", now="2026-02-25")
    verdict.ok, verdict.level, verdict.confidential
    for check in verdict.failures:
        print(check.name, check.detail, check.expected, check.got)

    me = tp.Identity.boot()
    me.seal("answer", outputs={"answer": b"42"}, inputs={"question": b"?"}).save("answer.proof")
    tp.verify("answer.proof", policy="strict")

``import teeproof`` imports nothing else; each name below is loaded when it is first used.

    verify                       evidence or a proof, or a path to it -> Verdict or ProofVerdict
    load                         a path -> Evidence or ProofFile
    load_policy, parse_policy    a built-in policy's name, or TOML text -> Policy
    parse_time                   "2026-02-25" and the like -> datetime
    Identity                     a running workload: boot, seal, rotate
    Statement, Graph             what workloads say, and how it hangs together
    Log, RemoteStore             an append-only log in a directory, and one over HTTP
    ProofFile, ProofVerdict, TlogPolicy
    Evidence, Collateral, Policy, Verdict, Check
    Error, and its kinds: Usage, Malformed, TooLarge, NotAuthentic, Unavailable, NotAllowed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from teeproof.core.clock import parse_time
    from teeproof.core.errors import (
        Error,
        Malformed,
        NotAllowed,
        NotAuthentic,
        TooLarge,
        Unavailable,
        Usage,
    )
    from teeproof.evidence.endorsements import Collateral
    from teeproof.evidence.policy import Policy, load_policy, parse_policy
    from teeproof.evidence.record import Evidence
    from teeproof.evidence.verdict import Check, Verdict
    from teeproof.proof.file import ProofFile
    from teeproof.proof.graph import Graph
    from teeproof.proof.log.formats.policy import TlogPolicy
    from teeproof.proof.log.http.remote import RemoteStore
    from teeproof.proof.log.storage.log import Log
    from teeproof.proof.opening import load, verify
    from teeproof.proof.statement import Statement
    from teeproof.proof.verify import ProofVerdict
    from teeproof.proof.workload import Identity

    __version__: str


__all__ = [
    "Check",
    "Collateral",
    "Error",
    "Evidence",
    "Graph",
    "Identity",
    "Log",
    "Malformed",
    "NotAllowed",
    "NotAuthentic",
    "Policy",
    "ProofFile",
    "ProofVerdict",
    "RemoteStore",
    "Statement",
    "TlogPolicy",
    "TooLarge",
    "Unavailable",
    "Usage",
    "Verdict",
    "__version__",
    "load",
    "load_policy",
    "parse_policy",
    "parse_time",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = _load(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def _load(name: str) -> Any:  # noqa: PLR0911  one return per module
    # Imported by name, so that linters see each import.
    if name == "Evidence":
        from teeproof.evidence import record  # noqa: PLC0415

        return record.Evidence
    if name == "Collateral":
        from teeproof.evidence import endorsements  # noqa: PLC0415

        return endorsements.Collateral
    if name in ("Check", "Verdict"):
        from teeproof.evidence import verdict  # noqa: PLC0415

        return getattr(verdict, name)
    if name in ("Policy", "load_policy", "parse_policy"):
        from teeproof.evidence import policy  # noqa: PLC0415

        return getattr(policy, name)
    if name in ("load", "verify"):
        _know_every_chapter()
        from teeproof.proof import opening  # noqa: PLC0415

        return getattr(opening, name)
    if name in _PROOFS:
        return _load_of_proofs(name)
    if name == "__version__":
        from teeproof.core import version  # noqa: PLC0415

        return version.VERSION
    if name == "parse_time":
        from teeproof.core import clock  # noqa: PLC0415

        return clock.parse_time
    from teeproof.core import errors  # noqa: PLC0415

    return getattr(errors, name)


def _know_every_chapter() -> None:
    """Load every kind of statement and its judge, or they would go unjudged.

    Hence nothing below imports this package itself.
    """
    import teeproof.cli.chapters  # noqa: F401, PLC0415


_PROOFS = frozenset(
    {
        "Graph",
        "Identity",
        "Log",
        "ProofFile",
        "ProofVerdict",
        "RemoteStore",
        "Statement",
        "TlogPolicy",
    }
)


def _load_of_proofs(name: str) -> Any:  # noqa: PLR0911  as above
    if name == "ProofFile":
        from teeproof.proof import file  # noqa: PLC0415

        return file.ProofFile
    if name == "ProofVerdict":
        from teeproof.proof import verify  # noqa: PLC0415

        return verify.ProofVerdict
    if name == "Graph":
        _know_every_chapter()
        from teeproof.proof import graph  # noqa: PLC0415

        return graph.Graph
    if name == "Statement":
        from teeproof.proof import statement  # noqa: PLC0415

        return statement.Statement
    if name == "Identity":
        from teeproof.proof import workload  # noqa: PLC0415

        return workload.Identity
    if name == "Log":
        from teeproof.proof.log.storage import log  # noqa: PLC0415

        return log.Log
    if name == "RemoteStore":
        from teeproof.proof.log.http import remote  # noqa: PLC0415

        return remote.RemoteStore
    from teeproof.proof.log.formats import policy  # noqa: PLC0415

    return policy.TlogPolicy

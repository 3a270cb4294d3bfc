"""Every market in a log or a proof, and what a stranger finds when all that it said is in order.

A market is who says admissions, matches, leases and their ends with one code; where its evidence
names no code, one identity. Two operators who run one code, whose terms and name are measured with
it, are one market here: keys change with each start, so nothing would tell the second from a host
that put an older ledger back, and that must be found.

What is not signed by whom it names is nobody's word and is left out, by name. The rest is replayed
(``audit``), and the checks that judges made of each statement are counted, so that a decision that
does not follow is found in either way.

Trusts: the verdict, which a verifier made of these very statements.  Does not trust: the markets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from teeproof.core.digests import named
from teeproof.core.errors import Error
from teeproof.evidence.verdict import Check
from teeproof.network.audit import audit
from teeproof.network.checking import maybe
from teeproof.network.forms import money
from teeproof.network.statements import (
    ADMISSION,
    CLOSING,
    LEASE,
    MATCH,
    NODE,
    AdmissionStatement,
    ClosingStatement,
    LeaseStatement,
    MatchStatement,
)
from teeproof.proof.source import Read
from teeproof.proof.verify import IdentityVerdict, ProofVerdict, StatementVerdict
from teeproof.proof.verify.claims import code_of

__all__ = ["KINDS", "Audited", "Counted", "audit_markets"]

T = TypeVar("T")

KINDS = (NODE, ADMISSION, MATCH, LEASE, CLOSING)
"""The kinds of statement that a market's story is made of."""

_MARKETS = frozenset({ADMISSION, MATCH, LEASE, CLOSING})
_SIGNED = frozenset({"form", "signature", "author"})  # checks without which nobody has said it
_SHOWS_CODE = frozenset(
    {"guest-image", "mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mr-system", "mr-aggregated",
     "os-image", "compose-hash", "event-log"}
)  # fmt: skip
_NAMED = 20  # statements that are named for one check


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """One check of a judge, over all statements of a market that gave the same answer.

    Attributes:
        check: the first of them.
        times: how many there are.
        statements: ``sha256:…`` of the first of the statements.
    """

    check: Check
    times: int
    statements: tuple[str, ...]


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one market.

    Attributes:
        name: as its terms say; empty where it said none.
        code: the compose hash of its code, hex; None where its evidence names none.
        identities: who said it, ``sha256:…``.
        admitted: how many decisions admitted a node.
        refused: how many did not, by reason.
        matches: how many orders it answered, and ``matched`` how many of them found a node.
        matched: see there.
        leases: how many leases it wrote.
        closed: how many ends of leases.
        paid: what nodes earned, in micro-units by asset, of ends that hold.
        replay: what replaying it found.
        judged: what judges found of its statements, failures first.
    """

    name: str
    code: str | None
    identities: tuple[str, ...]
    admitted: int
    refused: dict[str, int]
    matches: int
    matched: int
    leases: int
    closed: int
    paid: dict[str, int]
    replay: tuple[Check, ...]
    judged: tuple[Counted, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        checks = (*self.replay, *(one.check for one in self.judged))
        return not any(check.state == "failed" for check in checks)

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        return {"ok": self.ok} | body


def audit_markets(
    reads: Iterable[Read], verdict: ProofVerdict
) -> tuple[tuple[Audited, ...], tuple[str, ...]]:
    """Return what is found of each market, and the statements that nobody is shown to have said.

    Args:
        reads: every statement of the kinds in ``KINDS`` that there is.
        verdict: on a proof that holds them all.
    """
    verdicts = {one.id: one for one in verdict.statements}
    people = {one.id: one for one in verdict.identities}
    held, left_out = [], []
    for read in reads:
        one = verdicts.get(named(read.id))
        if one is None or not _is_said(one):
            left_out.append(named(read.id))
        elif read.type in KINDS:
            held.append((read, one))
    claims = [read for read, _ in held if read.type == NODE]
    groups: dict[str, list[tuple[Read, StatementVerdict]]] = {}
    for read, one in held:
        if read.type in _MARKETS:
            groups.setdefault(_whose(people.get(one.author or "")), []).append((read, one))
    found = [_audited(group, claims, people) for _, group in sorted(groups.items())]
    return tuple(found), tuple(sorted(left_out))


def _is_said(one: StatementVerdict) -> bool:
    """Return whether its author is shown to have said it; a policy's objection changes nothing."""
    return not any(
        check.state == "failed" and check.concern != "policy" and check.name in _SIGNED
        for check in one.checks
    )


def _whose(person: IdentityVerdict | None) -> str:
    if person is None:
        return ""
    return _code(person) or person.id


def _code(person: IdentityVerdict) -> str | None:
    """Return which code said it; None where the reader's policy refuses what would show that.

    Any guest can name any code: one that the policy refuses would speak in an honest market's name.
    """
    machine = person.evidence
    if machine is None or not machine.authentic:
        return None
    refused = any(check.name in _SHOWS_CODE for check in machine.failures)
    return None if refused else code_of(machine.facts)


def _audited(
    group: list[tuple[Read, StatementVerdict]],
    claims: list[Read],
    people: Mapping[str, IdentityVerdict],
) -> Audited:
    reads = [read for read, _ in group]
    authors = tuple(sorted({one.author or "" for _, one in group}))
    decisions = list(_of(reads, AdmissionStatement))
    matches = [said.match for said in _of(reads, MatchStatement)]
    leases = list(_of(reads, LeaseStatement))
    terms = next((said.terms for said in decisions), None) or next(
        (said.lease.terms for said in leases), None
    )
    refused = Counter(
        reason.code for said in decisions if not said.decision.admitted
        for reason in said.decision.reasons
    )  # fmt: skip
    person = people.get(authors[0])
    return Audited(
        name="" if terms is None else terms.market,
        code=None if person is None else _code(person),
        identities=authors,
        admitted=sum(said.decision.admitted for said in decisions),
        refused=dict(sorted(refused.items())),
        matches=len(matches), matched=sum(match.chosen is not None for match in matches),
        leases=len(leases), closed=sum(read.type == CLOSING for read in reads),
        paid=_paid(group, leases), replay=audit((*claims, *reads)), judged=_judged(group),
    )  # fmt: skip


def _of(reads: Iterable[Read], kind: type[T]) -> Iterator[T]:
    for read in reads:
        said = maybe(read, kind)
        if said is not None:
            yield said


def _paid(
    group: list[tuple[Read, StatementVerdict]], leases: list[LeaseStatement]
) -> dict[str, int]:
    from teeproof.network.leases import digest_of  # noqa: PLC0415  only for ends

    assets = {digest_of(said.lease): said.lease.terms.asset for said in leases}
    found: Counter[str] = Counter()
    for read, one in group:
        said = maybe(read, ClosingStatement)
        if said is None or any(check.state == "failed" for check in one.checks):
            continue
        try:
            paid = 0 if said.closing.paid == "0" else money(said.closing.paid, "paid")
        except Error:
            continue
        found[assets.get(said.closing.lease, "unknown")] += paid
    return dict(sorted(found.items()))


def _judged(group: list[tuple[Read, StatementVerdict]]) -> tuple[Counted, ...]:
    """Return the checks of all statements, alike ones once: failures first, then in their order."""
    alike: dict[tuple[str, str, str], list[tuple[Check, str]]] = {}
    for _, one in group:
        for check in one.checks:
            detail = check.detail if check.state != "passed" else ""
            alike.setdefault((check.state, check.name, detail), []).append((check, one.id))
    counted = [
        Counted(
            check=_one([check for check, _ in some]), times=len(some),
            statements=tuple(one for _, one in some[:_NAMED]),
        )
        for some in alike.values()
    ]  # fmt: skip
    order = ("failed", "passed", "not_checked")
    return tuple(sorted(counted, key=lambda one: order.index(one.check.state)))


def _one(checks: list[Check]) -> Check:
    """Return one check for alike ones, which passed for a reason of its own each."""
    if len({check.detail for check in checks}) == 1:
        return checks[0]
    return msgspec.structs.replace(checks[0], detail="it holds for each", got=None)

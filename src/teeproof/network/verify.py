"""What a stranger can check of the network, from a proof alone: each decision, made once more.

    node         the claim can be one, and is paid at the address that it names
    admission    claim, facts and terms give the same decision, label and reasons
    match        the renter signed the order; its offers give the same choice and reasons again
    lease        it is what the match says: node, renter, price, deposit, terms
    closing      the money adds up, and the seconds are what was paid

What only the market could know is *not checked*, and says so: that a challenge was fresh, that
another offer was taken or stale, which offers a long book did not list.

Trusts: the facts of verified evidence.  Does not trust: the market, nodes, renters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from teeproof.cloud.owner import verify_text
from teeproof.core.digests import named
from teeproof.core.errors import Error
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.network.admission import MARKETS_WORD, Decision, decide, machine_of
from teeproof.network.checking import is_missing, maybe, of_role, said, same, same_market, subject
from teeproof.network.claim import NodeClaim
from teeproof.network.escrow import CLOSING_REASONS
from teeproof.network.forms import money
from teeproof.network.gpus import gpus_of
from teeproof.network.leases import digest_of
from teeproof.network.matching import Match, rematch
from teeproof.network.offers import Offer
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
    NodeStatement,
)
from teeproof.network.terms import Terms
from teeproof.proof.source import Read
from teeproof.proof.verify.claims import View, judge

__all__ = ["judge_admission", "judge_closing", "judge_lease", "judge_match", "judge_node"]


@judge(NODE)
def judge_node(read: Read, _view: View) -> Iterable[Check]:
    """Return the checks of a node's claim."""
    words = said(read, NodeStatement)
    words.claim.check()
    yield subject(read, words.claim)
    yield same(
        "claim-payout", "the address that is paid is the claim's", words.claim.payout, words.payout
    )


@judge(ADMISSION)
def judge_admission(read: Read, view: View) -> Iterable[Check]:
    """Return the checks of an admission."""
    words = said(read, AdmissionStatement)
    decision = words.decision
    yield subject(read, decision)
    stated = of_role(read, view, "claim")
    claim = maybe(stated, NodeStatement)
    author = None if stated is None else view.author(named(stated.id))
    if is_missing(read, view, "claim"):
        yield not_checked("admission", "the claim is not in this proof")
        return
    if claim is None or author is None:
        yield failed(
            "admission", "admission_without_claim", "an admission is made of a node's claim",
            expected="an input with the role claim, and the statement of its node", got="none",
        )  # fmt: skip
        return
    record = view.identity(author)
    yield same(
        "admission-claim",
        "it is about this claim, of this identity, that answers this challenge",
        (claim.claim.digest_name, named(author), record.claim.nonce if record else None),
        (decision.claim, decision.identity, decision.challenge or None),
    )
    facts = view.facts(author)
    if facts:
        yield from _decided(decision, claim.claim, facts, words.terms)
    else:
        yield not_checked("admission", "no evidence of the node holds here: nothing follows")


def _decided(decision: Decision, claim: NodeClaim, facts: Any, terms: Terms) -> Iterator[Check]:
    markets = [reason for reason in decision.reasons if reason.code in MARKETS_WORD]
    admitted, label, reasons = decide(claim, facts=facts, terms=terms, further=markets)
    found = (decision.admitted, decision.tee, decision.machine, decision.gpus, decision.reasons)
    if found != (admitted, label, machine_of(facts), gpus_of(facts), reasons):
        yield failed(
            "admission",
            "admission_differs",
            "claim, evidence and terms give another decision than the market's",
            expected=_in_words(admitted, label, [reason.code for reason in reasons]),
            got=_in_words(decision.admitted, decision.tee, [r.code for r in decision.reasons]),
        )
        return
    what = "admitted" if admitted else "refused: " + "; ".join(r.detail for r in reasons)
    yield passed("admission", f"claim, evidence and terms give the same decision: {what}"[:300])
    if markets or admitted:
        yield not_checked(
            "admission-moment",
            "that the challenge was fresh and the machine not listed twice is the market's word",
        )


@judge(MATCH)
def judge_match(read: Read, view: View) -> Iterable[Check]:
    """Return the checks of a match."""
    words = said(read, MatchStatement)
    match, terms = words.match, words.terms
    match.order.check()
    yield subject(read, match)
    yield _owned(match)
    yield _ordered(match, terms)
    yield _rematched(match, terms)
    if match.unlisted:
        yield not_checked(
            "match-complete", f"{match.unlisted} further offers of the book are not listed here"
        )
    if any(offer.taken for offer in match.offers):
        yield not_checked(
            "match-availability", "that some offers were taken or stale is the market's word"
        )
    yield from _chosen_offer(read, view, match)


def _owned(match: Match) -> Check:
    try:
        verify_text(match.order, match.signature, match.order.renter, what="order")
    except Error as error:
        return failed(
            "match-owner", error.code, error.detail, expected=error.expected, got=error.got
        )
    return passed("match-owner", "the renter signed the order")


def _ordered(match: Match, terms: Terms) -> Check:
    order = match.order
    wanted = same("match-order", "the order is for these terms", terms.digest, order.market)
    if wanted.state == "passed" and match.at > order.not_after:
        return failed(
            "match-order", "order_expired", "the order had expired when it was matched",
            expected=f"no later than {order.not_after}", got=str(match.at),
        )  # fmt: skip
    return wanted


def _rematched(match: Match, terms: Terms) -> Check:
    offers = match.offers
    ranks = [offer.rank for offer in offers]
    if ranks != sorted(set(ranks)) or len({offer.node for offer in offers}) != len(offers):
        return failed(
            "match", "offers_out_of_order", "the offers are not listed once each, by price and time"
        )
    chosen, rejected = rematch(match.order, offers, terms=terms)
    if (None if chosen is None else chosen.node) != match.chosen:
        return failed(
            "match",
            "another_offer_first",
            "the offers that the market lists give another choice: it skipped one that meets the"
            " order",
            expected=_offer_in_words(chosen),
            got=_offer_in_words(next((o for o in offers if o.node == match.chosen), None)),
        )
    if rejected != match.rejected:
        return failed(
            "match", "reasons_differ", "the offers were rejected for other reasons than it says",
            expected=_codes(rejected), got=_codes(match.rejected),
        )  # fmt: skip
    what = "no offer meets the order" if chosen is None else "the cheapest that meets the order"
    return passed("match", f"{what}; {len(rejected)} others, each with the same reason")


def _chosen_offer(read: Read, view: View, match: Match) -> Iterator[Check]:
    """Check that the chosen offer is what the node claimed and the market admitted."""
    chosen = _choice(match)
    if chosen is None:
        return
    admission = of_role(read, view, "admission")
    words = maybe(admission, AdmissionStatement)
    claim = maybe(of_role(admission, view, "claim"), NodeStatement)
    if is_missing(read, view, "admission", "claim"):
        yield not_checked("match-offer", "the admission, or its claim, is not in this proof")
        return
    if admission is None or words is None or claim is None:
        yield failed(
            "match-offer", "offer_without_admission",
            "the chosen offer's admission, or its claim, is not what the match was made of",
            expected=chosen.admission, got="none",
        )  # fmt: skip
        return
    decision, node = words.decision, claim.claim
    yield same(
        "match-offer",
        "the chosen offer is what the node claimed and the market admitted",
        (named(admission.id), True, decision.node, decision.tee, money(node.price, "price"),
         node.region, node.hardware, node.labels),
        (chosen.admission, decision.admitted, chosen.node, chosen.tee, chosen.price,
         chosen.region, chosen.hardware, chosen.labels),
    )  # fmt: skip
    yield same_market(read, admission, view)


def _choice(match: Match) -> Offer | None:
    return next((offer for offer in match.offers if offer.node == match.chosen), None)


@judge(LEASE)
def judge_lease(read: Read, view: View) -> Iterable[Check]:
    """Return the checks of a lease."""
    words = said(read, LeaseStatement)
    lease = words.lease
    yield subject(read, lease)
    stated = of_role(read, view, "match")
    parent = maybe(stated, MatchStatement)
    claim = maybe(of_role(of_role(stated, view, "admission"), view, "claim"), NodeStatement)
    if is_missing(read, view, "match", "admission", "claim"):
        yield not_checked("lease", "the match, or what it was made of, is not in this proof")
        return
    if stated is None or parent is None or claim is None:
        yield failed(
            "lease", "lease_without_match",
            "a lease is made of a match, and that of a node's admission and claim",
            expected="a match", got="none, or one of no node",
        )  # fmt: skip
        return
    order, chosen = parent.match.order, _choice(parent.match)
    yield same(
        "lease",
        "it is what the match says: node, renter, price, deposit and terms",
        (order.digest, parent.match.chosen, order.renter, chosen and str(chosen.price),
         order.deposit, parent.terms),
        (lease.order, lease.node, lease.renter, lease.rate, lease.deposit, lease.terms),
    )  # fmt: skip
    yield same(
        "lease-payout",
        "the address that is paid is the one in the node's claim",
        (claim.claim.payout, claim.claim.payout),
        (lease.payout, words.payout),
    )
    yield same_market(read, stated, view)


@judge(CLOSING)
def judge_closing(read: Read, view: View) -> Iterable[Check]:
    """Return the checks of a lease's end."""
    closing = said(read, ClosingStatement).closing
    yield subject(read, closing)
    stated = of_role(read, view, "lease")
    parent = maybe(stated, LeaseStatement)
    if is_missing(read, view, "lease"):
        yield not_checked("closing", "the lease is not in this proof")
        return
    if stated is None or parent is None or digest_of(parent.lease) != closing.lease:
        yield failed(
            "closing", "closing_without_lease", "it does not end the lease that it was made of",
            expected=closing.lease, got="none" if parent is None else digest_of(parent.lease),
        )  # fmt: skip
        return
    lease = parent.lease
    earned = min(lease.amount, lease.price * closing.seconds)
    yield same(
        "closing",
        "the node got what its proved seconds cost, and the renter the rest",
        (str(earned), str(lease.amount - earned), CLOSING_REASONS[closing.reason]),
        (closing.paid, closing.refund, closing.detail),
    )
    yield same_market(read, stated, view)
    lasted = closing.at - lease.opened
    if not 0 <= closing.seconds <= lasted:
        yield failed(
            "closing-time", "closing_too_long", "more seconds are paid than the lease lasted",
            expected=f"at most {lasted} s", got=f"{closing.seconds} s",
        )  # fmt: skip
    else:
        yield not_checked("closing-time", "the heartbeats themselves are not in the log")


def _in_words(admitted: bool, label: str, codes: Iterable[str]) -> str:
    done = "admitted" if admitted else "refused"
    return f"{done}, tee={label}, {', '.join(codes) or 'no reason'}"


def _offer_in_words(offer: Offer | None) -> str:
    return "no offer" if offer is None else f"{offer.node} at {offer.price} a second"


def _codes(rejected: Iterable[Any]) -> str:
    return ", ".join(f"{one.node[7:15]} {one.code}" for one in rejected)[:400]

"""What a stranger can check of an answer: its receipt alone, or the receipt with both bodies.

    check_receipt    what a receipt says of itself: one model, usage that adds up, how it ended
    receipt_holds    that, and: it was given while its keys were valid
    check_answer     that, and: it is of these bytes, by these keys, of that machine and that model

The second is the judge of receipts in a proof, where the model's edge, the signature and the
machine are checked by ``proof.verify``. Importing this registers it.

Trusts: the policy, the caller's own request and clock.
Does not trust: the service, its host, whoever handed over receipt and identity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from teeproof.core.clock import format_time, to_epoch
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error, NotAllowed, NotAuthentic, Unavailable
from teeproof.evidence.policy import Policy
from teeproof.evidence.verdict import Check, failed, passed, summary
from teeproof.inference.checks import alive, check_receipt, events, is_ours
from teeproof.inference.stream import Sent, events_of
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.receipt import Receipt
from teeproof.proof.signing import holds_ed25519
from teeproof.proof.source import Read
from teeproof.proof.verify.claims import View, judge
from teeproof.proof.verify.identities import judge_identity
from teeproof.proof.verify.places import not_logged
from teeproof.proof.verify.record import IdentityVerdict
from teeproof.proof.verify.trust import Trust

__all__ = ["AnswerVerdict", "Expected", "check_answer", "check_receipt", "receipt_holds"]


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a client expects of an answer beyond its own bytes; what is None is not checked.

    Attributes:
        model: ``sha256:…`` of the weights.
        statement: ``sha256:…`` of the training statement.
        since: the earliest time at which it may have been given, seconds since 1970.
        asset: the token in which it is paid, if it costs anything.
        amount: the most that it may cost, in base units.
    """

    model: str | None = None
    statement: str | None = None
    since: int | None = None
    asset: str | None = None
    amount: int | None = None


_WORST_FIRST = (("authenticity", 2), ("availability", 3), ("policy", 4))


class AnswerVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a client may believe of an answer.

    Attributes:
        ok: whether nothing failed, here or about the machine.
        checks: of receipt and bytes, in reading order.
        identity: who answered; None where the receipt could not be read.
    """

    ok: bool
    checks: tuple[Check, ...]
    identity: IdentityVerdict | None

    def __str__(self) -> str:
        """Return it in one line, for people."""
        machine = None if self.identity is None else self.identity.evidence
        concerns = {check.concern for check in self.failures}
        code = next((code for concern, code in _WORST_FIRST if concern in concerns), 0)
        passed = sum(check.state == "passed" for check in self.checks)
        words = summary(code, None if machine is None else machine.level)
        return f"{words} · {passed} checks of the answer passed, {len(self.failures)} failed"

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed, here and about the machine."""
        here = tuple(check for check in self.checks if check.state == "failed")
        return here if self.identity is None else here + self.identity.failures

    def require(self) -> None:
        """Raise the first failure; nothing if there is none.

        Raises:
            NotAuthentic, NotAllowed, Unavailable: by what the failure concerns.
        """
        kinds: dict[str, type[Error]] = {"policy": NotAllowed, "availability": Unavailable}
        for check in self.failures:
            kind = kinds.get(check.concern, NotAuthentic)
            raise kind(check.detail, code=check.code, expected=check.expected, got=check.got)


@judge("aci/1")
def receipt_holds(read: Read, view: View) -> Iterable[Check]:
    """Judge a receipt in a proof: what it says of itself, and that its keys were alive."""
    if read.receipt is None:
        return ()
    author = view.author(named(read.id))
    record = None if author is None else view.identity(author)
    dates = () if record is None else (alive(read.receipt, record),)
    own = check_receipt(read.receipt)
    return (*own, *dates) if is_ours(read.receipt) else own


def check_answer(
    response: bytes,
    *,
    request: bytes,
    receipt: bytes | Receipt,
    identity: IdentityRecord,
    blobs: Mapping[str, bytes],
    now: datetime,
    policy: Policy | None = None,
    expected: Expected | None = None,
) -> AnswerVerdict:
    """Return what a client may believe of an answer that it got.

    Args:
        response: the body as it came off the wire, every byte of a stream included.
        request: the body as it was sent.
        receipt: the document that the service gave for it.
        identity: who the service says it is.
        blobs: the evidence behind that, by ``sha256:…``.
        now: the client's time.
        policy: what is expected of the machine; without it, the built-in one of its kind.
        expected: what is expected of the answer.
    """
    try:
        read = receipt if isinstance(receipt, Receipt) else Receipt.parse(receipt)
    except Error as error:
        broken = failed("receipt", error.code, error.detail, expected=error.expected, got=error.got)
        return AnswerVerdict(ok=False, checks=(broken,), identity=None)
    checks = (
        *_author(read, identity),
        _bytes(read, "request", request),
        _bytes(read, "response", response),
        _whole(read, response),
        *check_receipt(read),
        alive(read, identity),
        *_expected(read, expected or Expected()),
    )
    who = judge_identity(
        identity, blob=_from(blobs), place=not_logged(Trust()), now=to_epoch(now), policy=policy,
        further=None, both_paths=True, known={},
    )  # fmt: skip
    ok = who.ok and not any(check.state == "failed" for check in checks)
    return AnswerVerdict(ok=ok, checks=checks, identity=who)


def _from(blobs: Mapping[str, bytes]) -> Callable[[str], bytes]:
    def blob(digest: str) -> bytes:
        if digest not in blobs:
            raise Unavailable(
                "a part of the machine's evidence is missing: ask the service for all of it",
                code="evidence_missing",
                expected=digest,
            )
        return blobs[digest]

    return blob


def _author(receipt: Receipt, identity: IdentityRecord) -> tuple[Check, ...]:
    if receipt.keyset_digest != identity.keyset_digest:
        return (
            failed(
                "receipt-author",
                "receipt_of_another",
                "the receipt was signed under other keys than those of this service",
                expected=identity.keyset_digest,
                got=receipt.keyset_digest,
            ),
        )
    key = identity.key("receipt")
    if (
        key is None
        or key.role != receipt.key_id
        or not holds_ed25519(key.raw, receipt.signed, receipt.signature)
    ):
        return (
            failed(
                "receipt-signature",
                "receipt_signature",
                "the receipt's signature does not hold: it was changed, or is nobody's",
                expected="a signature of the service's receipt key",
            ),
        )
    return (
        passed("receipt-author", "the receipt is of this service"),
        passed("receipt-signature", "its signature holds"),
    )


def _bytes(receipt: Receipt, which: str, body: bytes) -> Check:
    stated = next((one.sha256 for one in receipt.subjects if one.name == which), None)
    got = named(sha256(body))
    if stated == got:
        return passed(f"{which}-bytes", f"the receipt is of this very {which}")
    detail = {
        "request": "the receipt is of another question: an old or a stranger's answer was served",
        "response": "these are not the bytes that the service sent: they were changed or cut on"
        " the way",
    }[which]
    return failed(f"{which}-bytes", f"{which}_mismatch", detail, expected=stated, got=got)


def _whole(receipt: Receipt, response: bytes) -> Check:
    """Check that the answer came to its end, and its chain over the events that came."""
    stated = events(receipt, "x.stream")
    if len(stated) != 1 or stated[0].get("complete") is not True:
        why = stated[0].get("cut_by") if stated else "no word of an end"
        return failed(
            "answer-complete",
            "answer_incomplete",
            "this is not a whole answer",
            expected="an answer that came to its end",
            got=f"cut by {str(why)[:40]}" if stated else str(why),
        )
    seen = Sent()
    for event in [response] if stated[0].get("events") == 1 else events_of(response):
        seen.add(event)
    if (seen.events, named(seen.head)) != (stated[0].get("events"), stated[0].get("head")):
        return failed(
            "answer-complete",
            "stream_mismatch",
            "the events that came are not those that were sent",
            expected=f"{stated[0].get('events')} events, {stated[0].get('head')}",
            got=f"{seen.events} events, {named(seen.head)}",
        )
    return passed("answer-complete", f"the answer is whole: {seen.events} events")


def _expected(receipt: Receipt, expected: Expected) -> Iterable[Check]:
    ran = (events(receipt, "x.model") or [{}])[0]
    for name, want, got in (
        ("model", expected.model, ran.get("digest")),
        ("statement", expected.statement, ran.get("statement")),
    ):
        if want is not None:
            yield _same(name, want, got)
    at = receipt.body.get("served_at")
    if expected.since is not None and (type(at) is not int or at < expected.since):
        yield failed(
            "answer-fresh", "answer_old", "this answer is older than the question",
            expected=f"not before {format_time(expected.since)}", got=str(at)[:40],
        )  # fmt: skip
    if expected.amount is not None or expected.asset is not None:
        yield _price((events(receipt, "x.usage") or [{}])[0], expected)


def _same(name: str, want: str, got: Any) -> Check:
    if want == got:
        return passed(f"expected-{name}", f"it is the {name} that you expect", "policy")
    return failed(
        f"expected-{name}",
        f"{name}_not_expected",
        {
            "model": "another model answered than the one that you expect",
            "statement": "the model that answered comes from another training than you expect",
        }[name],
        "policy",
        expected=want,
        got=None if got is None else str(got)[:100],
    )


def _price(usage: dict[str, Any], expected: Expected) -> Check:
    amount, asset = usage.get("amount", "0"), usage.get("asset", expected.asset)
    sane = isinstance(amount, str) and amount.isascii() and amount.isdecimal() and len(amount) < 79
    if (
        not sane
        or (expected.asset is not None and asset != expected.asset)
        or (expected.amount is not None and int(amount) > expected.amount)
    ):
        return failed(
            "answer-price",
            "price_not_expected",
            "the answer costs more than you allow, or something else",
            "policy",
            expected=f"at most {expected.amount} of {expected.asset or 'anything'}",
            got=f"{str(amount)[:80]} of {str(asset)[:100]}",
        )
    return passed("answer-price", f"it costs {amount}, which you allow", "policy")

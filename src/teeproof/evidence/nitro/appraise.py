"""Hold a Nitro enclave against expectations: what was started, who can look in, whom it answers.

Trusts: facts of a verified document.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from collections.abc import Container

from teeproof.core.clock import format_time, to_epoch
from teeproof.evidence.appraise.expect import any_of
from teeproof.evidence.nitro.expectations import NitroExpectations
from teeproof.evidence.nitro.facts import NitroFacts
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["checks"]


def checks(
    facts: NitroFacts,
    expected: NitroExpectations,
    *,
    now: int,
    seen: Container[bytes] = frozenset(),
    tee: Check | None = None,
) -> list[Check]:
    """Return the checks of policy.

    Args:
        facts: of a verified document.
        expected: expectations.
        now: the T of the verdict, seconds since 1970.
        seen: user data of evidence that this verifier already accepted.
        tee: whether the expectations were written for this kind of evidence, where that is asked.
    """
    nonce = _nonce(facts, expected)
    return [
        *_simulated(facts, expected),
        *(() if tee is None else (tee,)),
        _debug(facts, expected),
        any_of("pcr0", expected.pcr0, facts.document.pcrs[0].hex(), what="enclave image (PCR0)"),
        any_of("pcr1", expected.pcr1, _pcr(facts, 1), what="kernel and boot ramdisk (PCR1)"),
        any_of("pcr2", expected.pcr2, _pcr(facts, 2), what="application (PCR2)"),
        any_of("pcr3", expected.pcr3, _pcr(facts, 3), what="role of the parent instance (PCR3)"),
        any_of("pcr4", expected.pcr4, _pcr(facts, 4), what="parent instance (PCR4)"),
        any_of("pcr8", expected.pcr8, _pcr(facts, 8), what="signer of the image (PCR8)"),
        _user_data(facts, expected),
        nonce,
        _replayed(facts, seen),
        _age(facts, expected, nonce, now),
    ]


def _pcr(facts: NitroFacts, index: int) -> str | None:
    """Return a register in hex; None if the document has none of this index."""
    return _hex(facts.document.pcrs.get(index))


def _simulated(facts: NitroFacts, expected: NitroExpectations) -> list[Check]:
    if facts.level != "simulated":
        return []
    if facts.root in expected.simulated_roots:
        detail = "SIMULATED: the policy accepts this simulator's root"
        return [passed("simulated-root", detail, "policy")]
    return [
        failed(
            "simulated-root",
            "simulated_root_not_accepted",
            "SIMULATED: no enclave stands behind this document, and the policy does not accept "
            "this simulator's root: pin it under simulated_roots to test with it",
            "policy",
            expected=" or ".join(expected.simulated_roots) or "evidence of real hardware",
            got=facts.root,
        )
    ]


def _debug(facts: NitroFacts, expected: NitroExpectations) -> Check:
    state = "on" if facts.debug else "off"
    if facts.debug is bool(expected.debug):
        meaning = (
            "a debug enclave, as the policy asks"
            if facts.debug
            else "the enclave was measured when it was started, so it is none in debug mode"
        )
        return passed("debug", meaning, "policy", got=state)
    if facts.debug:
        return failed(
            "debug",
            "debug_on",
            "a debug enclave: PCR0 is all zero, so nothing says what runs, and the instance beside "
            "it can read its console",
            "policy",
            expected="off",
            got=state,
        )
    return failed(
        "debug",
        "debug_off",
        "the enclave is none in debug mode, and the policy asks for one",
        "policy",
        expected="on",
        got=state,
    )


def _user_data(facts: NitroFacts, expected: NitroExpectations) -> Check:
    wanted, got = expected.expected_user_data, facts.document.user_data
    if wanted is None:
        why = "the policy does not say what it must bind"
        return not_checked("user-data", why, "policy", got=_hex(got))
    if got != wanted:
        return failed(
            "user-data",
            "user_data_mismatch",
            "user data does not bind what the policy expects: the document was made for something "
            "else; ask for one over your own nonce",
            "policy",
            expected=wanted.hex(),
            got=_hex(got),
        )
    return passed("user-data", "user data binds exactly what the policy expects", "policy")


def _nonce(facts: NitroFacts, expected: NitroExpectations) -> Check:
    got = facts.document.nonce
    if expected.nonce is None:
        return not_checked("nonce", "the policy has no nonce", "policy", got=_hex(got))
    wanted = expected.nonce.encode()
    if got != wanted:
        return failed(
            "nonce",
            "nonce_mismatch",
            "the document does not carry the verifier's nonce: it answers someone else's "
            "challenge, or none",
            "policy",
            expected=wanted.hex(),
            got=_hex(got),
        )
    return passed("nonce", "the document carries the verifier's nonce", "policy")


def _replayed(facts: NitroFacts, seen: Container[bytes]) -> Check:
    data = facts.document.user_data
    if not data or not any(data):
        why = "user data is empty, so two documents cannot be told apart"
        return not_checked("replay", why, "policy")
    if any(twin in seen for twin in (data, data.ljust(64, b"\0"), data.rstrip(b"\0"))):
        return failed(
            "replay",
            "report_data_reused",
            "this user data was accepted before: the document is replayed",
            "policy",
            expected="user data that was not seen before",
            got=data.hex(),
        )
    why = "the verifier was given no earlier evidence to compare with"
    return not_checked("replay", why, "policy")


def _age(facts: NitroFacts, expected: NitroExpectations, nonce: Check, now: int) -> Check:
    limit, issued = expected.max_age_seconds, expected.nonce_issued_at
    if limit is None:
        return not_checked("age", "the policy sets no limit", "policy")
    if issued is not None and nonce.state != "passed":
        return failed(
            "age",
            "age_unknown",
            "the document does not carry the nonce, so nothing shows how old it is",
            "policy",
            expected=f"at most {limit} seconds",
        )
    made = facts.document.seconds if issued is None else to_epoch(issued)
    by = "its own time" if issued is None else "the nonce"
    if issued is not None and made > now:
        return failed(
            "age",
            "nonce_from_the_future",
            "the nonce was issued after the time in question",
            "policy",
            expected=f"not after {format_time(now)}",
            got=format_time(made),
        )
    age = max(0, now - made)
    if age > limit:
        return failed(
            "age",
            "too_old",
            f"the document is {age} seconds old by {by}, the policy allows {limit}: ask for a "
            "fresh one",
            "policy",
            expected=f"at most {limit} seconds",
            got=f"{age} seconds",
        )
    return passed("age", f"{age} seconds old by {by}, the policy allows {limit}", "policy")


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()

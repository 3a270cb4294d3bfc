"""Hold a Nitro enclave against expectations: what was started, who can look in, whom it answers.

Trusts: facts of a verified document.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from collections.abc import Container

from teeproof.core.clock import format_time, to_epoch
from teeproof.evidence.appraise.expect import any_of
from teeproof.evidence.appraise.freshness import first_time
from teeproof.evidence.appraise.kind import check_kind
from teeproof.evidence.appraise.platform import simulated_root
from teeproof.evidence.binding import binding
from teeproof.evidence.nitro.facts import NitroFacts
from teeproof.evidence.policy import Policy
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["checks"]


def checks(
    facts: NitroFacts,
    policy: Policy,
    *,
    now: int,
    seen: Container[bytes] | None = None,
) -> list[Check]:
    """Return the checks of policy.

    Args:
        facts: of a verified document.
        policy: expectations; those that speak of other machines fail the check ``tee``.
        now: the T of the verdict, seconds since 1970.
        seen: user data of evidence that this verifier already accepted; None if it keeps none.
    """
    nonce = _nonce(facts, policy)
    return [
        *simulated_root(facts.level, facts.root, policy),
        check_kind("nitro", policy),
        _debug(facts, policy),
        any_of("pcr0", policy.pcr0, facts.document.pcrs[0].hex(), what="enclave image (PCR0)"),
        any_of("pcr1", policy.pcr1, _pcr(facts, 1), what="kernel and boot ramdisk (PCR1)"),
        any_of("pcr2", policy.pcr2, _pcr(facts, 2), what="application (PCR2)"),
        any_of("pcr3", policy.pcr3, _pcr(facts, 3), what="role of the parent instance (PCR3)"),
        any_of("pcr4", policy.pcr4, _pcr(facts, 4), what="parent instance (PCR4)"),
        any_of("pcr8", policy.pcr8, _pcr(facts, 8), what="signer of the image (PCR8)"),
        _user_data(facts, policy),
        nonce,
        _replayed(facts, seen),
        _age(facts, policy, nonce, now),
    ]


def _pcr(facts: NitroFacts, index: int) -> str | None:
    """Return a register in hex; None if the document has none of this index."""
    return _hex(facts.document.pcrs.get(index))


def _debug(facts: NitroFacts, policy: Policy) -> Check:
    state = "on" if facts.debug else "off"
    if facts.debug is bool(policy.debug):
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


def _wanted(policy: Policy) -> tuple[bytes, ...]:
    """Return what user data may be: given bytes, or the binding of keyset and nonce.

    A document's user data has any length. The binding is 32 bytes; whoever fills the 64 bytes that
    other machines bind has zeros behind it.
    """
    if policy.user_data is not None:
        return (bytes.fromhex(policy.user_data),)
    if policy.keyset_digest is not None:
        bound = binding(policy.keyset_digest, nonce=policy.nonce)
        return bound, bound + bytes(32)
    return ()


def _user_data(facts: NitroFacts, policy: Policy) -> Check:
    wanted, got = _wanted(policy), facts.document.user_data
    if not wanted:
        why = "the policy does not say what it must bind"
        return not_checked("user-data", why, "policy", got=_hex(got))
    if got not in wanted:
        return failed(
            "user-data",
            "user_data_mismatch",
            "user data does not bind what the policy expects: the document was made for something "
            "else; ask for one over your own nonce",
            "policy",
            expected=" or ".join(each.hex() for each in wanted),
            got=_hex(got),
        )
    return passed("user-data", "user data binds exactly what the policy expects", "policy")


def _nonce(facts: NitroFacts, policy: Policy) -> Check:
    got = facts.document.nonce
    if policy.nonce is None:
        return not_checked("nonce", "the policy has no nonce", "policy", got=_hex(got))
    wanted = policy.nonce.encode()
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


def _replayed(facts: NitroFacts, seen: Container[bytes] | None) -> Check:
    data = facts.document.user_data
    if not data or not any(data):
        why = "user data is empty, so two documents cannot be told apart"
        return not_checked("replay", why, "policy")
    if seen is not None and any(
        twin in seen for twin in (data, data.ljust(64, b"\0"), data.rstrip(b"\0"))
    ):
        return failed(
            "replay",
            "report_data_reused",
            "this user data was accepted before: the document is replayed",
            "policy",
            expected="user data that was not seen before",
            got=data.hex(),
        )
    return not_checked("replay", first_time(seen), "policy")


def _age(facts: NitroFacts, policy: Policy, nonce: Check, now: int) -> Check:
    limit, issued = policy.max_age_seconds, policy.nonce_issued_at
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

"""What the values of a policy must look like, by themselves and together.

Types are checked before, by ``msgspec``. What is checked here would otherwise be an expectation
that can never be met, or one that silently demands nothing.

Trusts: nothing.  Does not trust: whoever typed the policy to make no mistake.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from teeproof.core.errors import Usage
from teeproof.evidence.policy_values import INTEL_ROOT

if TYPE_CHECKING:
    from teeproof.evidence.policy import Policy

__all__ = [
    "HEX_BYTES",
    "MAX_DAYS",
    "check_forms",
    "check_together",
    "check_written",
    "in_words",
    "wrong",
]

MAX_DAYS = 36_525  # a hundred years

HEX_BYTES = {
    "mrenclave": 32, "mrsigner": 32, "mrtd": 48, "mrseam": 48, "rtmr0": 48, "rtmr1": 48,
    "rtmr2": 48, "rtmr3": 48, "mrconfigid": 48, "mrowner": 48, "mrownerconfig": 48,
    "compose_hash": 32, "app_id": 20, "instance_id": 20, "os_image_hash": 32, "mr_system": 32,
    "mr_aggregated": 32, "measurement": 48, "host_data": 32, "family_id": 16, "image_id": 16,
    "id_key_digest": 48, "author_key_digest": 48, "pcr0": 48, "pcr1": 48, "pcr2": 48, "pcr3": 48,
    "pcr4": 48, "pcr8": 48,
}  # fmt: skip
_ADVISORY = re.compile(r"INTEL-[A-Z]{2,4}-[0-9]{5}", re.ASCII)
_LISTS = ("tuple[str", "tuple[Lifecycle", "tuple[TcbStatus", "tuple[Product")
_TEXTS = ("tee", "name", "description", "report_data", "user_data", "nonce", "keyset_digest")
_NAMED = ("roots", "simulated_roots", "allowed_platforms", "blocked_platforms")


def check_written(
    value: Mapping[str, Any],
    *,
    kinds: Mapping[str, str],
    statuses: Sequence[str],
    table: str = "",
) -> None:
    """Say of the usual mistakes what to write instead; Usage names the field.

    Args:
        value: what was written, by field.
        kinds: the type of each field, as its annotation says it.
        statuses: the TCB statuses that there are.
        table: the name of the table that the fields stand in, if they do.
    """
    for name, given in value.items():
        kind, field = kinds.get(name, ""), f"{table}.{name}" if table else name
        if kind.startswith("Literal[True]") and given is False:
            raise wrong(f"{field} = false: only true has a meaning, so leave {field} out")
        if kind.startswith("bool") and isinstance(given, str):
            raise wrong(f"{field} is true or false, without quotes, got {given!r:.100}")
        if kind.startswith(_LISTS) and isinstance(given, str):
            raise wrong(f'{field} must be a list: write {field} = ["{given[:150]}"]')
    for given in _texts(value.get("tcb_statuses")):
        if given not in statuses:
            raise wrong(f"tcb_statuses has {given[:60]!r}, which is none of {', '.join(statuses)}")


def _texts(value: object) -> list[str]:
    return [x for x in value if isinstance(x, str)] if isinstance(value, list | tuple) else []


def in_words(said: str) -> str:
    """Return what ``msgspec`` says of a value, in the words of a policy file."""
    text, _, place = said.partition(" - at `$")
    for theirs, ours in _WORDS.items():
        text = text.replace(theirs, ours)
    where = place.rstrip("`").lstrip(".").replace("[...]", "")
    return f"{where}: {text[:1].lower()}{text[1:]}" if where else text.replace("`", "")


_WORDS = {
    "`array": "`a list",
    "`object": "`a table",
    "`str": "`text",
    "`int": "`a whole number",
    "`float": "`a number",
    "`bool": "`true or false",
    " | null": "",
    "Object contains": "it has an",
    "`": "",
}


def check_forms(policy: Policy) -> None:
    """Check each value by itself; Usage names the field."""
    for field in policy.__struct_fields__:
        # In Python, one may write a text where a tuple belongs, and "in" would look inside it.
        if field not in _TEXTS and isinstance(getattr(policy, field), str | list):
            raise wrong(f"{field} must be a tuple")
    for field in policy.__struct_fields__:
        _check_unicode(field, getattr(policy, field))
    for field, size in HEX_BYTES.items():
        for text in getattr(policy, field) or ():
            _check_hex(field, text, size)
    for field in _NAMED:
        for text in getattr(policy, field) or ():
            _check_named(field, text)
    for field, size in (("report_data", 64), ("user_data", _half(policy.user_data))):
        if getattr(policy, field) is not None:
            _check_hex(field, getattr(policy, field), size)
    if policy.keyset_digest is not None:
        _check_named("keyset_digest", policy.keyset_digest)
    if policy.nonce == "":
        raise wrong("nonce must not be empty: everyone could have known it")
    _check_advisories(policy)
    _check_numbers(policy)


def _check_advisories(policy: Policy) -> None:
    for text in policy.denied_advisories or ():
        if not _ADVISORY.fullmatch(text):
            raise wrong(f"denied_advisories are written INTEL-SA-00615, got {text[:100]!r}")


def _half(text: str | None) -> int:
    return max(1, len(text or "") // 2)


def _check_unicode(field: str, value: object) -> None:
    """Refuse half a surrogate pair: it has no bytes, so the policy would have no digest."""
    for text in value if isinstance(value, tuple) else (value,):
        if isinstance(text, str) and not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise wrong(f"{field} must be Unicode text, got {text[:100]!a}") from None


def _check_numbers(policy: Policy) -> None:
    numbers = [
        ("max_collateral_age_days", policy.max_collateral_age_days, MAX_DAYS),
        ("max_age_seconds", policy.max_age_seconds, MAX_DAYS * 86400),
        *(("tcb_grace_days", days, MAX_DAYS) for _, days in policy.tcb_grace_days or ()),
        *(("tcb_evaluation_floor", x.number, 1 << 32) for x in policy.tcb_evaluation_floor or ()),
        *(
            ("minimum_tcb", part, 255)
            for x in policy.minimum_tcb or ()
            for part in x.parts.values()
        ),
        *(("vmpl", level, 3) for level in policy.vmpl or ()),
        ("minimum_guest_svn", policy.minimum_guest_svn, (1 << 32) - 1),
    ]
    for field, number, most in numbers:
        if number is not None and not 0 <= number <= most:
            raise wrong(f"{field} must be a number from 0 to {most}, got {number}")


def _check_named(field: str, text: str) -> None:
    if not text.startswith("sha256:"):
        raise wrong(f"{field} must be written sha256:<hex>, got {text[:100]!r}")
    _check_hex(field, text.removeprefix("sha256:"), 32, before="sha256:")


def _check_hex(field: str, text: str, size: int, *, before: str = "") -> None:
    if len(text) == 2 * size and not text.strip("0123456789abcdef"):
        return
    wanted = f"{field} must be {2 * size} lower-case hex digits ({size} bytes)"
    if not text or text.strip(string.hexdigits):
        raise wrong(f"{wanted}, got {text[:140]!r}")
    if len(text) != 2 * size:
        raise wrong(f"{wanted}, got {len(text)} digits: {text[:140]!r}")
    raise wrong(f'{wanted}: write "{before}{text.lower()}"')


def _check_minimum_tcb(policy: Policy) -> None:
    """Refuse a minimum that demands nothing, or could be read in two ways."""
    products = [each.product for each in policy.minimum_tcb or ()]
    if len(set(products)) != len(products):
        raise wrong("minimum_tcb names a product twice: put all of its parts into one entry")
    for each in policy.minimum_tcb or ():
        if not each.parts:
            raise wrong(f"minimum_tcb of {each.product} names no part: write snp = 24, for example")
        if each.fmc is not None and each.product != "Turin":
            raise wrong(f"minimum_tcb: {each.product} has no fmc; only Turin has")


def _check_id_block(policy: Policy) -> None:
    """Refuse what any host could write into an ID block that it signs itself."""
    keys = (*(policy.id_key_digest or ()), *(policy.author_key_digest or ()))
    if any(not key.strip("0") for key in keys):
        raise wrong("id_key_digest and author_key_digest of zeros mean that there is no such key")
    for field in ("minimum_guest_svn", "family_id", "image_id"):
        if getattr(policy, field) is not None and not keys:
            raise wrong(
                f"{field} needs id_key_digest or author_key_digest: any host can sign an ID block"
                " of its own"
            )


_ROOTS = {
    "tpm": "the fingerprints of the root keys of the TPM's maker or cloud, or roots = []",
    "cca": "the fingerprints of platform keys (CPAK) that an endorser gave you, or roots = []",
    "azure-snp": "AMD's, which teeproof policy show azure-snp lists",
}


def check_together(policy: Policy) -> None:
    """Check which fields go together; Usage names both."""
    _check_minimum_tcb(policy)
    _check_id_block(policy)
    if policy.tee == "sev-snp" and policy.roots == (INTEL_ROOT,):
        raise wrong(
            'tee = "sev-snp" needs roots of AMD\'s: copy them from teeproof policy show sev-snp'
        )
    if policy.tee in ("tpm", "cca", "azure-snp") and policy.roots == (INTEL_ROOT,):
        raise wrong(f'tee = "{policy.tee}" needs roots of its own: {_ROOTS[policy.tee]}')
    if policy.tee == "nitro" and policy.roots == (INTEL_ROOT,):
        raise wrong('tee = "nitro" needs a root of AWS\'s: copy it from teeproof policy show nitro')
    if policy.tcb_grace_days is not None and policy.tcb_statuses is None:
        raise wrong("tcb_grace_days needs tcb_statuses: without them every status is let through")
    if policy.report_data is not None and policy.nonce is not None:
        raise wrong("report_data and nonce say the same thing twice: set one")
    if policy.user_data is not None and policy.keyset_digest is not None:
        raise wrong("user_data and keyset_digest say the same thing twice: set one")
    # A Nitro document has a place for the nonce, and a time of its own.
    alone = policy.tee == "nitro" and policy.keyset_digest is None
    if (policy.nonce is None) != (policy.keyset_digest is None) and not alone:
        raise wrong("nonce and keyset_digest belong together: report_data binds both")
    undated = policy.tee != "nitro" and policy.nonce_issued_at is None
    if policy.max_age_seconds is not None and undated:
        raise wrong("max_age_seconds needs nonce_issued_at: a quote carries no time of its own")
    if policy.nonce_issued_at is not None and policy.nonce is None and policy.report_data is None:
        raise wrong("nonce_issued_at needs nonce or report_data: nothing else shows the age")
    if policy.nonce_issued_at is not None and policy.nonce_issued_at.tzinfo is None:
        raise wrong("nonce_issued_at needs a time zone, such as 2026-02-25T12:00:00Z")


def wrong(why: str) -> Usage:
    """Return the error for a policy that cannot be used."""
    return Usage(f"the policy cannot be used: {why}", code="policy_malformed", got=why)

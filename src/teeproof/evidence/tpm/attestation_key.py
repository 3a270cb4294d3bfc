"""Who vouches for the key that signed a quote, and whether that key can sign anything else.

Trusts: the pinned roots, a voucher that the caller established.
Does not trust: the attributes that a key claims without a voucher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error, Malformed
from teeproof.evidence.dates import check_dates
from teeproof.evidence.tpm import certificates, keys, public, quote, signature
from teeproof.evidence.tpm.certificates import AkChain
from teeproof.evidence.tpm.document import TpmEvidence
from teeproof.evidence.tpm.facts import Voucher
from teeproof.evidence.tpm.public import Public
from teeproof.evidence.tpm.quote import TpmQuote
from teeproof.evidence.tpm.signature import Signature
from teeproof.evidence.verdict import Check, Level, failed, not_checked, passed

__all__ = ["Read", "Trust", "check_attributes", "check_binding", "check_chain", "read"]

_KEPT = frozenset({"fixedTPM", "fixedParent", "sensitiveDataOrigin"})  # it never left its TPM
_RESTRICTED = frozenset({"restricted", "sign"})  # it signs what the TPM itself made, and no more


@dataclass(frozen=True, slots=True)
class Read:
    """The evidence, parsed."""

    quote: TpmQuote
    signature: Signature
    public: Public | None
    spki: bytes | None
    key: keys.Key | None


@dataclass(frozen=True, slots=True)
class Trust:
    """Who vouches for the key, and how strongly; None where nobody does."""

    by: str
    level: Level
    name: bytes | None = None
    root: str | None = None


def read(evidence: TpmEvidence, voucher: Voucher | None) -> Read:
    """Return the evidence, parsed.

    Raises:
        Malformed: a part cannot be read, or two different keys came.
    """
    parsed = quote.parse(evidence.quote)
    key = None if evidence.public is None else public.parse(evidence.public)
    given = [found for found in (key and key.spki, evidence.spki) if found]
    if len(set(given)) == 2:
        raise Malformed(
            "the evidence holds two different attestation keys: hand over the one that signed",
            code="tpm_malformed",
            expected=named(sha256(given[0])),
            got=named(sha256(given[1])),
        )
    spki = given[0] if given else voucher.spki if voucher else None
    loaded = None if spki is None else keys.load(spki)
    return Read(parsed, signature.parse(evidence.signature), key, spki, loaded)


def check_chain(
    pem: bytes | None, *, roots: frozenset[str], now: int
) -> tuple[AkChain | None, list[Check]]:
    """Return the chain, if it can be read, and the five checks of it."""
    if pem is None:
        none = "no certificate of the attestation key was given"
        names = ("ak-certificates", "ak-root", "ak-chain", "ak-certificate-dates", "ak-revocation")
        return None, [not_checked(name, none) for name in names]
    try:
        chain = certificates.parse_chain(pem)
    except Error as error:
        cause = "the certificates cannot be read"
        return None, [
            failed("ak-certificates", error.code, error.detail, got=error.got),
            not_checked("ak-root", cause),
            not_checked("ak-chain", cause),
            not_checked("ak-certificate-dates", cause),
            not_checked("ak-revocation", cause),
        ]
    return chain, [
        passed("ak-certificates", f"{len(chain.certificates)} certificates can be read"),
        _root(chain, roots),
        _signed_chain(chain),
        check_dates("ak-certificate-dates", chain.windows, now),
        not_checked("ak-revocation", "no revocation list of the key's issuer was given"),
    ]


def _root(chain: AkChain, roots: frozenset[str]) -> Check:
    if chain.root in roots:
        return passed("ak-root", "the chain ends in a pinned root", got=chain.root)
    return failed(
        "ak-root",
        "ak_root_not_pinned",
        "the chain of the attestation key ends in a root key that nobody pinned",
        expected=", ".join(sorted(roots)) or "a pinned root, and none is",
        got=chain.root,
    )


def _signed_chain(chain: AkChain) -> Check:
    try:
        certificates.require_chain(chain)
    except Error as error:
        return failed("ak-chain", error.code, error.detail, expected=error.expected, got=error.got)
    return passed("ak-chain", "each certificate is signed by the next")


def check_binding(
    found: Read,
    chain: AkChain | None,
    chain_checks: Sequence[Check],
    voucher: Voucher | None,
    *,
    simulated_roots: frozenset[str] = frozenset(),
) -> tuple[Check, Trust | None]:
    """Return the check that somebody vouches for the key, and who."""
    name = "ak-binding"
    if voucher is not None and found.spki is not None:
        return _vouched(found.spki, chain, voucher)
    if chain is None or found.spki is None:
        return (
            failed(
                name,
                "ak_not_bound",
                "nobody vouches for the attestation key, and anyone can make one: ask for its "
                "certificate chain, or for the hardware's report that names it",
                expected="a certificate chain under a pinned root, or a report that names the key",
                got="neither" if found.spki else "neither, and no key",
            ),
            None,
        )
    try:
        certificates.require_leaf(chain, found.spki)
    except Error as error:
        wrong = failed(name, error.code, error.detail, expected=error.expected, got=error.got)
        return wrong, None
    if any(check.state == "failed" for check in chain_checks):
        cause = "a check of the certificates that vouch for the key has failed"
        return not_checked(name, cause), None
    by = f"a certificate under the root {chain.root}"
    simulated = chain.simulated or chain.root in simulated_roots
    level: Level = "simulated" if simulated else "measured"
    trust = Trust(by, level, root=chain.root)
    return passed(name, f"{by} vouches for the attestation key"), trust


def _vouched(spki: bytes, chain: AkChain | None, voucher: Voucher) -> tuple[Check, Trust | None]:
    """Return the binding of a key for which something else vouches than certificates."""
    name = "ak-binding"
    if spki != voucher.spki:
        return (
            failed(
                name,
                "ak_other_key",
                f"{voucher.by} vouches for another key than the one that signed the quote",
                expected=named(sha256(voucher.spki)),
                got=named(sha256(spki)),
            ),
            None,
        )
    if chain is not None and chain.spki != spki:  # all its checks may hold, of another key
        return (
            failed(
                name,
                "ak_other_key",
                "the certificates that came along are another key's than the one that signed the"
                " quote: leave them out",
                expected=named(sha256(spki)),
                got=named(sha256(chain.spki)),
            ),
            None,
        )
    return (
        passed(name, f"{voucher.by} vouches for the attestation key"),
        Trust(voucher.by, voucher.level, voucher.name),
    )


def check_attributes(found: Read, trust: Trust | None) -> Check:
    """Return the check that the key never left its TPM and signs nothing else."""
    name = "ak-attributes"
    key = found.public
    if key is None and trust is not None and trust.name is not None:
        return failed(
            name,
            "ak_public_missing",
            "whoever vouches for the key names its attributes, and they did not come along",
            "availability",
            expected="TPM2B_PUBLIC of the attestation key",
        )
    if key is None:
        detail = "only the bare key was given, not what it may be used for"
        return not_checked(name, f"{detail}; that is for whoever vouches for it to know")
    return _unfit(found.signature, key) or _covered(key, trust)


def _unfit(signed: Signature, key: Public) -> Check | None:
    name = "ak-attributes"
    held = ", ".join(sorted(key.attributes))
    if not key.attributes >= _KEPT:
        return failed(
            name,
            "ak_not_kept",
            "the key may have been made outside the TPM, or may leave it",
            expected=", ".join(sorted(_KEPT)),
            got=held,
        )
    if not key.attributes >= _RESTRICTED or "decrypt" in key.attributes:
        return failed(
            name,
            "ak_not_restricted",
            "the key signs whatever it is given, so its quotes may be forged with it",
            expected=f"{', '.join(sorted(_RESTRICTED))}, and not decrypt",
            got=held,
        )
    wanted = (signed.scheme, signed.hash)
    if key.scheme is not None and (key.scheme, key.scheme_hash) != wanted:
        return failed(
            name,
            "ak_scheme",
            "the key is for another scheme than the signature's, so its TPM did not sign this",
            expected=f"scheme {key.scheme:#x}, hash {key.scheme_hash or 0:#x}",
            got=signed.name,
        )
    return None


def _covered(key: Public, trust: Trust | None) -> Check:
    name = "ak-attributes"
    if trust is not None and trust.name is not None:
        if trust.name == key.name:
            return passed(name, f"{trust.by} covers its attributes: restricted to its own TPM")
        return failed(
            name,
            "ak_name",
            f"{trust.by} vouches for this key with other attributes",
            expected=trust.name.hex(),
            got=key.name.hex(),
        )
    return not_checked(
        name,
        "the key claims to be restricted to its own TPM, and whoever vouches for it vouches for "
        "the bare key",
    )

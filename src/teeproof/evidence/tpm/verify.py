"""Verify a TPM quote at a time T: from the pinned root, or a voucher, down to every register.

The checks, in reading order:

    tpm-quote-format                                   what the bytes say they are
    ak-certificates, ak-root, ak-chain                 whom we believe
    ak-certificate-dates, ak-revocation                whether that holds at T
    ak-binding                                         the signing key is one that they vouch for
    ak-attributes                                      it is kept in the TPM, and signs nothing else
    tpm-signature, tpm-signer                          the quote is what that key signed
    tpm-pcrs                                           the registers beside it are the quoted ones
    tpm-qualifying-data                                it was made for this question

A key vouches for nothing by itself: anyone can make one and sign a quote with it.

Trusts: the pinned roots, a voucher that the caller established, this code.
Does not trust: host, network, operator, the attributes that a key claims without a voucher.
"""

from __future__ import annotations

from dataclasses import dataclass

from teeproof.core.errors import Error
from teeproof.evidence.tpm import attestation_key, keys, pcrs
from teeproof.evidence.tpm.attestation_key import Read
from teeproof.evidence.tpm.document import TpmEvidence
from teeproof.evidence.tpm.facts import TpmFacts, Voucher, evidence_identity
from teeproof.evidence.tpm.quote import TpmQuote
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["Verification", "verify"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What verification found.

    Attributes:
        checks: in reading order.
        facts: None if a check failed.
        evidence_id: the evidence's identity; None if no key came with it.
        root: fingerprint of the root that the key's chain ends in; None if it is not trusted.
        quote: the quote, parsed.
    """

    checks: tuple[Check, ...]
    facts: TpmFacts | None
    evidence_id: str | None
    root: str | None
    quote: TpmQuote


def verify(
    evidence: TpmEvidence,
    *,
    roots: frozenset[str],
    now: int,
    simulated_roots: frozenset[str] = frozenset(),
    voucher: Voucher | None = None,
    expected_data: bytes | None = None,
) -> Verification:
    """Return the checks and, if all held, the facts.

    Args:
        evidence: a quote, its signature, the key, and what explains them.
        roots: fingerprints (``sha256:…``) of the root keys of TPM vendors and clouds, and of nobody
            else: under those of other hardware there are keys for signing that live in no TPM.
        now: the T to verify at, seconds since 1970.
        simulated_roots: those of simulators: what hangs on them is simulated, marked or not.
        voucher: what other verified evidence says of the key; then no chain is needed.
        expected_data: the qualifying data that the relying party asked for, such as D (32 bytes).

    Raises:
        Malformed: quote, signature or key cannot be read, or a register is none.
    """
    read = attestation_key.read(evidence, voucher)
    if evidence.pcrs is not None:
        pcrs.require_sizes(evidence.pcrs)
    chain, chain_checks = attestation_key.check_chain(
        evidence.certificates, roots=roots | simulated_roots, now=now
    )
    binding, trust = attestation_key.check_binding(
        read, chain, chain_checks, voucher, simulated_roots=simulated_roots
    )
    pcr_check, registers = _pcrs(read, evidence)
    checks = (
        passed("tpm-quote-format", f"TPM 2.0 quote of {_covered(read.quote)}"),
        *chain_checks,
        binding,
        attestation_key.check_attributes(read, trust),
        _signature(read),
        _signer(read),
        pcr_check,
        _data(read.quote, expected_data),
    )
    # Beside a voucher a chain may come or not, so it is no part of what the evidence is.
    tbs = chain.leaf_tbs if chain and voucher is None else b""
    evidence_id = evidence_identity(read.quote, read.spki, tbs) if read.spki else None
    facts = None
    refused = any(check.state == "failed" for check in checks)
    if evidence_id and read.spki and trust and not refused:
        facts = TpmFacts(
            evidence_id=evidence_id,
            level=trust.level,
            vouched_by=trust.by,
            root=trust.root,
            spki=read.spki,
            quote=read.quote,
            pcrs=registers,
        )
    trusted = chain is not None and chain.root in roots | simulated_roots
    return Verification(
        checks, facts, evidence_id, chain.root if chain and trusted else None, read.quote
    )


def _covered(parsed: TpmQuote) -> str:
    return "; ".join(selection.name for selection in parsed.selections) or "no register"


def _signature(read: Read) -> Check:
    name = "tpm-signature"
    if read.key is None:
        return not_checked(name, "no attestation key was given")
    try:
        keys.require_signed(read.key, read.signature, read.quote.raw)
    except Error as error:
        return failed(name, error.code, error.detail, expected=error.expected, got=error.got)
    return passed(name, f"the attestation key signed the quote ({read.signature.name})")


def _signer(read: Read) -> Check:
    name = "tpm-signer"
    if read.public is None:
        return not_checked(name, "the key's TPM name is unknown: only the bare key was given")
    if read.quote.signer in read.public.qualified_names:
        return passed(name, "the quote names this key, made at the top of its TPM's hierarchy")
    return not_checked(
        name, "the quote names a key that hangs below another one, whose name was not given"
    )


def _pcrs(read: Read, evidence: TpmEvidence) -> tuple[Check, dict[int, dict[int, bytes]]]:
    name = "tpm-pcrs"
    if not any(selection.registers for selection in read.quote.selections):
        return not_checked(name, "the quote covers no register"), {}
    if evidence.pcrs is None:
        return not_checked(name, "no values were given, and the quote holds their digest only"), {}
    missing = pcrs.missing(read.quote, evidence.pcrs)
    if missing:
        return (
            failed(
                name,
                "pcrs_missing",
                "a register that the quote covers was not handed over: ask for all of them",
                "availability",
                expected=_covered(read.quote),
                got=f"no {missing}",
            ),
            {},
        )
    try:
        pcrs.require_quoted(read.quote, evidence.pcrs, algorithm=read.signature.hash)
    except Error as error:
        return (
            failed(name, error.code, error.detail, expected=error.expected, got=error.got),
            {},
        )
    found = pcrs.covered(read.quote, evidence.pcrs)
    count = sum(len(values) for values in found.values())
    return passed(name, f"the digest of {count} registers is the quoted one"), found


def _data(parsed: TpmQuote, expected: bytes | None) -> Check:
    name = "tpm-qualifying-data"
    if expected is None:
        return not_checked(name, "nothing was expected of what the TPM was asked to sign", "policy")
    if parsed.extra_data == expected:
        return passed(name, "the TPM signed the expected data", "policy")
    return failed(
        name,
        "qualifying_data_mismatch",
        "the quote was made for another question: ask for one over your own nonce",
        "policy",
        expected=expected.hex(),
        got=parsed.extra_data.hex() or "nothing",
    )

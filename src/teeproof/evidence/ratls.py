"""Read an RA-TLS certificate, and check that its quote belongs to its key and to this channel.

The certificate carries evidence in extensions; whoever signed the certificate does not matter. What
matters is that the quote's report_data names the certificate's public key, and that the peer of the
live channel holds that key: else the evidence is relayed from another machine. The quote itself is
verified elsewhere, from the ``Evidence`` that comes out.

    ratls-key      report_data of the quote is SHA-512("ratls-cert:", public key)
    ratls-channel  the channel's peer showed this certificate's key

Source: dstack ra-tls, ``oids.rs``, ``cert.rs`` and ``attestation.rs``.

Trusts: nothing; it only reads.  Does not trust: the peer, the certificate's issuer and its dates.
"""

from __future__ import annotations

import binascii
import zlib

import msgspec

from teeproof.core.errors import Error, Malformed, TooLarge
from teeproof.evidence import binding, der
from teeproof.evidence.eventlog.attestation import parse_attestation
from teeproof.evidence.naming import report_data_of
from teeproof.evidence.record import MAX_EVENT_LOG_BYTES, Evidence
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["MAX_CERTIFICATE_BYTES", "RatlsCertificate", "check_binding", "check_carrier", "parse"]

MAX_CERTIFICATE_BYTES = 2 << 20

# 1.3.6.1.4.1.62397.1.x in DER, without tag and length
_ARC = bytes.fromhex("2b0601040183e73d01")
_QUOTE, _EVENT_LOG, _APP_ID, _USAGE, _ATTESTATION, _APP_INFO = (
    _ARC + bytes([last]) for last in (1, 2, 3, 4, 8, 9)
)
_GZIP_MAGIC = b"ELGZv1"  # cert.rs, EVENTLOG_GZIP_MAGIC
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_WHITE = b" \t\r\n"
_EXTENSIONS_TAG, _VERSION_TAG = 0xA3, 0xA0


class RatlsCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """An RA-TLS certificate. Nothing of it is verified.

    Attributes:
        spki: the certificate's public key: SubjectPublicKeyInfo (DER), the bytes as they stand.
        evidence: the quote and its event log, and the certificate itself.
        app_id: what the issuer says of the application; the event log's own id counts.
        usage: what the issuer says the certificate is for.
        app_info: MessagePack with more of what the issuer says.
    """

    spki: bytes
    evidence: Evidence
    app_id: bytes | None = None
    usage: str | None = None
    app_info: bytes | None = None


def parse(data: bytes, *, name: str = "RA-TLS certificate") -> RatlsCertificate:
    """Return the RA-TLS certificate in PEM or DER; of a PEM chain, the first certificate.

    Args:
        data: the bytes.
        name: what to call the evidence in messages.

    Raises:
        TooLarge: more than 2 MiB, or an event log that unpacks to more than 1 MiB.
        Malformed: no certificate, no quote in it, or an extension in another form.
    """
    if len(data) > MAX_CERTIFICATE_BYTES:
        raise TooLarge(
            "this is too large for a certificate",
            expected=f"at most {MAX_CERTIFICATE_BYTES} bytes",
            got=f"{len(data)} bytes",
        )
    try:
        certificate = _der(data)
        spki, extensions = _read(certificate)
        given = {oid: der.only(value, der.OCTETS) for oid, value in extensions.items()}
        usage = given.get(_USAGE)
        return RatlsCertificate(
            spki=spki,
            evidence=_evidence(given, certificate, name),
            app_id=given.get(_APP_ID),
            usage=None if usage is None else usage.decode(),
            app_info=given.get(_APP_INFO),
        )
    except ValueError as error:
        raise _malformed(str(error)) from None


def check_carrier(evidence: Evidence, *, expected_spki: bytes | None = None) -> tuple[Check, ...]:
    """Return the checks of what carried the evidence; none if no certificate and no channel did.

    Args:
        evidence: a quote, and the certificate that it came in.
        expected_spki: as in ``check_binding``. With it, evidence without a certificate fails: to
            leave the certificate out must not be a way around the check.
    """
    if evidence.certificate is None:
        return () if expected_spki is None else (_no_certificate(),)
    try:
        certificate = parse(evidence.certificate, name=evidence.name)
    except Error as error:
        return (
            failed("ratls-key", error.code, error.detail, expected=error.expected, got=error.got),
            not_checked("ratls-channel", "the certificate cannot be read"),
        )
    if certificate.evidence.quote != evidence.quote:
        return (
            failed(
                "ratls-key", "ratls_other_quote", "the certificate carries another quote than this"
            ),
            not_checked("ratls-channel", "the certificate is not this quote's"),
        )
    return check_binding(certificate, expected_spki=expected_spki)


def check_binding(
    certificate: RatlsCertificate, *, expected_spki: bytes | None = None
) -> tuple[Check, Check]:
    """Return the checks ``ratls-key`` and ``ratls-channel``.

    Args:
        certificate: as parsed.
        expected_spki: SubjectPublicKeyInfo (DER) of the certificate that the peer of the live
            channel showed; None where there is no channel.
    """
    return _check_key(certificate), _check_channel(certificate, expected_spki)


def _no_certificate() -> Check:
    return failed(
        "ratls-channel",
        "ratls_certificate_missing",
        "a channel's key was given, and no certificate came with the quote: nothing ties the quote"
        " to the channel. Give the certificate that the peer showed",
        "availability",
        expected="an RA-TLS certificate",
    )


def _check_key(certificate: RatlsCertificate) -> Check:
    name = "ratls-key"
    recipe = binding.dstack(certificate.spki, tag="ratls-cert")
    try:
        report_data = report_data_of(certificate.evidence)
    except Error as error:
        return failed(name, error.code, error.detail, expected=error.expected, got=error.got)
    if report_data == recipe.report_data:
        return passed(name, "the quote names the certificate's key")
    why = binding.explain_report_data(report_data, candidates=[recipe]).detail
    return failed(
        name,
        "ratls_key_not_in_quote",
        f"the quote does not name the certificate's key: {why}",
        expected=recipe.report_data.hex(),
        got=report_data.hex(),
    )


def _check_channel(certificate: RatlsCertificate, expected_spki: bytes | None) -> Check:
    name = "ratls-channel"
    if expected_spki is None:
        return not_checked(
            name, "no channel's key was given: the certificate may be relayed from another machine"
        )
    if expected_spki == certificate.spki:
        return passed(name, "the channel's peer showed the key that the quote names")
    return failed(
        name,
        "ratls_relayed",
        "the channel's peer showed another key: the evidence is relayed from another machine",
        expected=certificate.spki.hex(),
        got=expected_spki.hex(),
    )


def _der(data: bytes) -> bytes:
    if data[:1] == b"\x30":
        return data
    # No regular expression: every step passes over the bytes once, whatever they are.
    begin = data.find(_BEGIN)
    end = data.find(_END, begin)
    if begin < 0 or end < 0:
        raise ValueError("neither PEM nor DER")
    text = data[begin + len(_BEGIN) : end].translate(None, _WHITE)
    return binascii.a2b_base64(text, strict_mode=True)


def _read(certificate: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the public key and dstack's extensions of a certificate (RFC 5280, 4.1)."""
    parts = list(der.elements(der.only(certificate, der.SEQUENCE)))
    if len(parts) != 3 or parts[0][0] != der.SEQUENCE:
        raise ValueError("a certificate has three parts")
    fields = list(der.elements(parts[0][1]))
    # version, serial, signature algorithm, issuer, validity, subject, public key, ... , extensions
    if len(fields) < 8 or fields[0][0] != _VERSION_TAG or fields[6][0] != der.SEQUENCE:
        raise ValueError("no version 3 certificate with extensions")
    lists = [value for tag, value in fields[7:] if tag == _EXTENSIONS_TAG]
    if len(lists) != 1:
        raise ValueError("no extensions")
    return _tlv(*fields[6]), _extensions(der.only(lists[0], der.SEQUENCE))


def _extensions(data: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    seen = set()
    for tag, value in der.elements(data):
        items = list(der.elements(value))
        if tag != der.SEQUENCE or len(items) not in (2, 3):
            raise ValueError("an extension in another form")
        (oid_tag, oid), (value_tag, content) = items[0], items[-1]
        if oid_tag != der.OID or value_tag != der.OCTETS:
            raise ValueError("an extension in another form")
        if oid in seen:
            raise ValueError("one extension is given twice")
        seen.add(oid)
        if oid.startswith(_ARC):
            found[oid] = content
    return found


def _evidence(given: dict[bytes, bytes], certificate: bytes, name: str) -> Evidence:
    if _ATTESTATION in given:
        attestation = parse_attestation(given[_ATTESTATION])
        if given.get(_QUOTE, attestation.quote) != attestation.quote:
            raise ValueError("two different quotes")
        return Evidence(
            quote=attestation.quote,
            event_log=attestation.event_log,
            mr_config=attestation.mr_config,
            certificates=attestation.certificates,
            certificate=certificate,
            name=name,
        )
    if _QUOTE not in given:
        raise ValueError("no quote: this is no RA-TLS certificate")
    log = given.get(_EVENT_LOG)
    return Evidence(
        quote=given[_QUOTE],
        event_log=None if log is None else _unpacked(log),
        certificate=certificate,
        name=name,
    )


def _unpacked(log: bytes) -> bytes:
    if not log.startswith(_GZIP_MAGIC):
        return log
    stream = zlib.decompressobj(wbits=31)
    try:
        data = stream.decompress(log[len(_GZIP_MAGIC) :], MAX_EVENT_LOG_BYTES + 1)
    except zlib.error as error:
        raise ValueError(f"the event log cannot be unpacked: {error}") from None
    if len(data) > MAX_EVENT_LOG_BYTES:
        raise TooLarge(
            "the certificate's event log unpacks to too much",
            code="event_log_too_large",
            expected=f"at most {MAX_EVENT_LOG_BYTES} bytes",
            got=f"more, from {len(log)} bytes",
        )
    if not stream.eof or stream.unused_data:
        raise ValueError("the packed event log is cut off, or something follows it")
    return data


def _tlv(tag: int, value: bytes) -> bytes:
    size = len(value)
    if size < 0x80:
        return bytes([tag, size]) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + value


def _malformed(got: str) -> Malformed:
    return Malformed(
        f"this is not an RA-TLS certificate: {got}", code="ratls_malformed", got=got[:200]
    )

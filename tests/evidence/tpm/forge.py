"""A TPM in Python, as far as a verifier can tell: keys, quotes, and an authority for them.

Real quotes come from a real (software) TPM in ``software.py``; this one also says what no TPM says.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from teeproof.core.digests import named, sha256
from teeproof.evidence.tpm.document import TpmEvidence
from teeproof.evidence.tpm.facts import Voucher
from teeproof.evidence.tpm.public import parse as parse_public
from teeproof.evidence.tpm.verify import Verification, verify
from teeproof.evidence.tpm.wire import HASH_NAMES, SHA256, SHA384, sized

NOW = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
D = bytes(range(32))
ENDORSEMENT = 0x4000000B
# fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign
ATTRIBUTES = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10 | 1 << 16 | 1 << 18
AK_PURPOSE, EK_PURPOSE = "2.23.133.8.3", "2.23.133.8.1"
_HASHES = {SHA256: hashes.SHA256(), SHA384: hashes.SHA384(), 4: hashes.SHA1()}


def words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in numbers)


@cache
def ec_key(number: int = 1) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(1000 + number, ec.SECP256R1())


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def spki(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public(
    key: Any, *, attributes: int = ATTRIBUTES, scheme: tuple[int, ...] = (0x18, 0xB)
) -> bytes:
    """Return the key as a TPM writes it (TPM2B_PUBLIC)."""
    numbers = key.public_key().public_numbers()
    fixed = attributes.to_bytes(4, "big") + sized(b"")
    if isinstance(key, rsa.RSAPrivateKey):
        modulus = numbers.n.to_bytes(key.key_size // 8, "big")
        tail = words(0x10, *scheme, key.key_size) + bytes(4) + sized(modulus)
        return sized(words(0x1, 0xB) + fixed + tail)
    point = sized(numbers.x.to_bytes(32, "big")) + sized(numbers.y.to_bytes(32, "big"))
    return sized(words(0x23, 0xB) + fixed + words(0x10, *scheme, 0x3, 0x10) + point)


def selection(*banks: tuple[int, tuple[int, ...]], count: int | None = None) -> bytes:
    """Return a TPML_PCR_SELECTION; ``count`` may lie."""
    out = (len(banks) if count is None else count).to_bytes(4, "big")
    for bank, registers in banks:
        bits = sum(1 << index for index in registers)
        out += words(bank) + b"\x03" + bits.to_bytes(3, "little")
    return out


def pcrs(bank: int = SHA256) -> dict[int, bytes]:
    """Return the values of 24 registers."""
    return {i: hashlib.new(HASH_NAMES[bank], bytes([i])).digest() for i in range(24)}


def attest(
    *,
    signer: bytes = b"",
    data: bytes = D,
    selected: bytes | None = None,
    digest: bytes | None = None,
    magic: bytes = b"\xffTCG",
    kind: int = 0x8018,
    safe: int = 1,
    tail: bytes = b"",
) -> bytes:
    """Return TPMS_ATTEST."""
    if selected is None:
        selected = selection((SHA256, tuple(range(24))))
    if digest is None:
        digest = sha256(b"".join(pcrs().values()))
    clock = (12345).to_bytes(8, "big") + (7).to_bytes(4, "big") + bytes(4) + bytes([safe])
    head = magic + words(kind) + sized(signer) + sized(data)
    return head + clock + (0x2019).to_bytes(8, "big") + selected + sized(digest) + tail


def sign(key: Any, message: bytes, *, hashed: int = SHA256, pss: bool = False) -> bytes:
    """Return TPMT_SIGNATURE."""
    chosen = _HASHES[hashed]
    if isinstance(key, rsa.RSAPrivateKey):
        how = padding.PSS(padding.MGF1(chosen), 32) if pss else padding.PKCS1v15()
        return words(0x16 if pss else 0x14, hashed) + sized(key.sign(message, how, chosen))
    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(chosen)))
    return words(0x18, hashed) + sized(r.to_bytes(32, "big")) + sized(s.to_bytes(32, "big"))


def qualified(key: bytes) -> bytes:
    """Return the qualified name of a primary key under the endorsement hierarchy."""
    name = parse_public(key).name
    return name[:2] + sha256(ENDORSEMENT.to_bytes(4, "big") + name)


def evidence(key: Any = None, **said: Any) -> TpmEvidence:
    """Return evidence in order, by a key on P-256; ``said`` changes what is signed."""
    key = key or ec_key()
    scheme = (0x14, 0xB) if isinstance(key, rsa.RSAPrivateKey) else (0x18, 0xB)
    as_tpm = public(key, scheme=scheme)
    message = attest(**({"signer": qualified(as_tpm)} | said))
    return TpmEvidence(
        quote=message, signature=sign(key, message), public=as_tpm, pcrs={SHA256: pcrs()}
    )


def voucher(key: Any = None, *, name: bool = True) -> Voucher:
    """Return a voucher for a key; with its name, for the attributes too."""
    key = key or ec_key()
    scheme = (0x14, 0xB) if isinstance(key, rsa.RSAPrivateKey) else (0x18, 0xB)
    parsed = parse_public(public(key, scheme=scheme))
    covered = parsed.name if name else None
    return Voucher(spki=parsed.spki, by="a friend", level="measured", name=covered)


class Authority:
    """Issues certificates of attestation keys: a root, an intermediate, leaves."""

    def __init__(self, seed: int = 50, *, root_path: int | None = None) -> None:
        self.root_key, self.ca_key = ec_key(seed), ec_key(seed + 1)
        self.root = certificate(
            self.root_key, self.root_key, "root", "root", ca=True, path=root_path
        )
        self.ca = certificate(self.ca_key, self.root_key, "ca", "root", ca=True)

    @property
    def fingerprint(self) -> str:
        return named(sha256(spki(self.root_key)))

    @property
    def roots(self) -> frozenset[str]:
        return frozenset({self.fingerprint})

    def chain(self, key: Any, **how: Any) -> bytes:
        """Return the PEM chain of a key: leaf, intermediate, root."""
        leaf = certificate(key, self.ca_key, "ak", "ca", **({"purposes": (AK_PURPOSE,)} | how))
        return leaf + self.ca + self.root


def certificate(
    key: Any,
    issuer_key: Any,
    subject: str,
    issuer: str,
    *,
    ca: bool = False,
    path: int | None = None,
    purposes: tuple[str, ...] = (),
    signs: bool = True,
    days: tuple[int, int] = (-30, 300),
    hashed: Any = None,
    extra: tuple[x509.ExtensionType, ...] = (),
    critical: bool = True,
) -> bytes:
    """Return a certificate as PEM."""
    at = datetime.fromtimestamp(NOW, UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(at + timedelta(days=days[0]))
        .not_valid_after(at + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path), critical=True)
        .add_extension(usage(certificates=ca, signs=signs and not ca), critical=True)
    )
    if purposes:
        oids = [x509.ObjectIdentifier(purpose) for purpose in purposes]
        builder = builder.add_extension(x509.ExtendedKeyUsage(oids), critical=False)
    for extension in extra:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, hashed or hashes.SHA256()).public_bytes(Encoding.PEM)


def usage(*, certificates: bool, signs: bool) -> x509.KeyUsage:
    off = dict.fromkeys(
        ("content_commitment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    return x509.KeyUsage(
        digital_signature=signs,
        key_cert_sign=certificates,
        crl_sign=certificates,
        key_encipherment=not signs and not certificates,
        decipher_only=False,
        **off,
    )


def judge(
    given: TpmEvidence | None = None,
    *,
    by: Voucher | None = None,
    roots: frozenset[str] = frozenset(),
    now: int = NOW,
    expected_data: bytes | None = D,
    **changes: Any,
) -> Verification:
    """Return what the verifier says, of evidence in order but for ``changes``."""
    given = replace(given or evidence(), **changes)
    return verify(given, roots=roots, now=now, voucher=by, expected_data=expected_data)


def failures(found: Any) -> list[tuple[str, str | None]]:
    """Return the failed checks and their codes."""
    return [(check.name, check.code) for check in found.checks if check.state == "failed"]


def state(found: Any, name: str) -> str:
    """Return the state of one check."""
    return next(check.state for check in found.checks if check.name == name)

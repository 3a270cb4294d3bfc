"""What the vendor says of a machine: Intel's collateral, as one immutable record.

The wire form is the ``QuoteCollateralV3`` JSON object of Intel's quote verification library as
``dcap-qvl`` writes it: PEM chains and JSON documents as text, CRLs and signatures as hex.

Trusts: nothing; every field is checked by whoever uses it.  Does not trust: host, network.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from teeproof.core import strictjson
from teeproof.core.digests import framed_sha256, named
from teeproof.core.errors import Malformed

__all__ = ["MAX_COLLATERAL_BYTES", "REMEMBERED_BYTES", "Collateral"]

MAX_COLLATERAL_BYTES = 4 << 20  # Intel's largest PCK CRLs stay far below 1 MiB

# What follows from larger parts is computed anew each time: caches must not hold what strangers
# blow up. Intel's sets have some 20 KB.
REMEMBERED_BYTES = 256 << 10

_TEXT = (
    "pck_crl_issuer_chain",
    "tcb_info_issuer_chain",
    "tcb_info",
    "qe_identity_issuer_chain",
    "qe_identity",
)
_HEX = ("root_ca_crl", "pck_crl", "tcb_info_signature", "qe_identity_signature")
FIELDS = (
    "pck_crl_issuer_chain",
    "root_ca_crl",
    "pck_crl",
    "tcb_info_issuer_chain",
    "tcb_info",
    "tcb_info_signature",
    "qe_identity_issuer_chain",
    "qe_identity",
    "qe_identity_signature",
)


class Collateral:
    """Intel's endorsements for one platform family at one time.

    Attributes:
        pck_crl_issuer_chain: PEM, PCK CA then root.
        root_ca_crl: DER CRL issued by the root CA.
        pck_crl: DER CRL issued by the PCK CA.
        tcb_info_issuer_chain: PEM, TCB signing certificate then root.
        tcb_info: the exact JSON bytes that Intel signed.
        tcb_info_signature: 64 bytes, r then s.
        qe_identity_issuer_chain: PEM, TCB signing certificate then root.
        qe_identity: the exact JSON bytes that Intel signed.
        qe_identity_signature: 64 bytes, r then s.
    """

    pck_crl_issuer_chain: bytes
    root_ca_crl: bytes
    pck_crl: bytes
    tcb_info_issuer_chain: bytes
    tcb_info: bytes
    tcb_info_signature: bytes
    qe_identity_issuer_chain: bytes
    qe_identity: bytes
    qe_identity_signature: bytes

    def __init__(self, **fields: bytes) -> None:
        if set(fields) != set(FIELDS):
            raise TypeError(f"Collateral takes exactly {', '.join(FIELDS)}")
        self.__dict__.update({name: fields[name] for name in FIELDS})

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over all nine fields, each framed by its length."""
        return framed_sha256("teeproof.collateral.v1", *(getattr(self, name) for name in FIELDS))

    @cached_property
    def size(self) -> int:
        """Bytes of all nine fields."""
        return sum(len(getattr(self, name)) for name in FIELDS)

    @property
    def id(self) -> str:
        """The digest as text."""
        return named(self.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Collateral) and self.digest == other.digest

    def replace(self, **fields: bytes) -> Collateral:
        """Return a copy with some fields changed."""
        return Collateral(**({name: getattr(self, name) for name in FIELDS} | fields))

    @classmethod
    def parse(cls, data: bytes | str) -> Collateral:
        """Return the collateral in a ``QuoteCollateralV3`` JSON document.

        Raises:
            Malformed: a field is missing, unknown or of the wrong form.
        """
        value = strictjson.loads(data, limit=MAX_COLLATERAL_BYTES, what="collateral")
        if not isinstance(value, dict):
            raise _malformed("a JSON object", type(value).__name__)
        # What dcap-qvl fetches also holds the PCK chain, for quotes that lack one; ours carry it.
        value = {k: v for k, v in value.items() if k != "pck_certificate_chain"}
        if set(value) != set(FIELDS):
            missing, unknown = set(FIELDS) - set(value), set(value) - set(FIELDS)
            raise _malformed(
                f"exactly the fields {', '.join(FIELDS)}",
                f"missing: {', '.join(sorted(missing)) or 'none'}; "
                f"unknown: {', '.join(sorted(unknown))[:200] or 'none'}",
            )
        return cls(**{name: _field(name, value[name]) for name in FIELDS})

    def to_json(self) -> dict[str, Any]:
        """Return the ``QuoteCollateralV3`` object."""
        text = {name: getattr(self, name).decode() for name in _TEXT}
        return {name: text.get(name, getattr(self, name).hex()) for name in FIELDS}


def _field(name: str, value: object) -> bytes:
    if not isinstance(value, str):
        raise _malformed(f"text in {name}", type(value).__name__)
    if name in _TEXT:
        return value.encode()
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise _malformed(f"hex digits in {name}", value[:60]) from None


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not Intel collateral (QuoteCollateralV3)",
        code="collateral_malformed",
        expected=expected,
        got=got,
    )

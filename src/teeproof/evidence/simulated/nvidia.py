"""Simulated GPUs, and what their vendor says of them: reports, manifests, OCSP answers.

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha384

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from teeproof.core.digests import framed_sha256
from teeproof.evidence.nvidia import xmlsig
from teeproof.evidence.nvidia.bundle import Device
from teeproof.evidence.nvidia.report import SIGNATURE_BYTES
from teeproof.evidence.simulated.nvidia_pki import P384_ORDER, GpuVendor, Issued, sign_raw
from teeproof.evidence.simulated.pki import pem

__all__ = ["DRIVER", "VBIOS", "SimulatedGpu", "answer", "assemble", "manifest", "other_twin"]

DRIVER, VBIOS = "999.01", "96.00.53.49.4D"
DRIVER_INDICES, VBIOS_INDICES = range(21, 41), range(13)  # as NVIDIA's manifests divide them
MEASUREMENTS = 64

_SWID = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
_RIM = "https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/"


def measured(version: str, index: int) -> bytes:
    """Return what a simulated driver or VBIOS of this version measures to."""
    return sha384(
        framed_sha256("teeproof.simulated.gpu.v1", version.encode(), bytes([index]))
    ).digest()


@dataclass(frozen=True)
class SimulatedGpu:
    """A GPU in software.

    Attributes:
        vendor: who certified it.
        number: its serial number; another number is another chip.
        driver: version of the driver that it runs; ``vbios`` likewise.
        changed: measurements that are not what the vendor lists, by index from 0 on.
    """

    vendor: GpuVendor
    number: int = 0
    driver: str = DRIVER
    vbios: str = VBIOS
    changed: tuple[tuple[int, bytes], ...] = ()

    @property
    def name(self) -> str:
        """What its certificates are made for."""
        return f"GH100 number {self.number}"

    @property
    def fwid(self) -> bytes:
        """Digest of its firmware."""
        return measured(self.vbios, 255)

    @cached_property
    def firmware(self) -> Issued:
        """The key that signs reports."""
        return self.vendor.firmware(self.name, self.fwid)

    @property
    def chain(self) -> tuple[Issued, ...]:
        """The firmware's certificate first, the root last."""
        vendor = self.vendor
        chip = vendor.chip(self.name)
        return self.firmware, chip, vendor.provisioner, vendor.family, vendor.device_root

    @property
    def certificates(self) -> bytes:
        """The chain as PEM."""
        return b"".join(pem(issued.der) for issued in self.chain)

    @property
    def measurements(self) -> dict[int, bytes]:
        """Index from 0 on -> digest."""
        found = dict.fromkeys(range(MEASUREMENTS), bytes(48))
        found |= {index: measured(self.vbios, index) for index in VBIOS_INDICES}
        found |= {index: measured(self.driver, index) for index in DRIVER_INDICES}
        return found | dict(self.changed)

    def opaque(self) -> dict[int, bytes]:
        """Return NVIDIA's fields: versions, board, firmware, mode."""
        high, low = bytes.fromhex(self.vbios.replace(".", ""))[:4], bytes.fromhex(self.vbios[-2:])
        return {
            6: (high[::-1] + low).ljust(8, b"\0"), 15: b"882\0", 17: b"1010\0", 18: b"0200\0",
            3: self.driver.encode() + b"\0", 11: b"\xaa", 20: self.fwid, 36: b"\0\0",
        }  # fmt: skip

    def signed(self, nonce: bytes) -> bytes:
        """Return request and response but for the signature."""
        return assemble(nonce, self.measurements, self.opaque(), device=self.name)

    def report(self, nonce: bytes) -> bytes:
        """Return the GPU's report over a nonce of 32 bytes."""
        message = self.signed(nonce)
        return message + sign_raw(self.firmware.key, message)

    def device(self, nonce: bytes) -> Device:
        """Return its evidence, parsed."""
        return Device.of(self.report(nonce), self.certificates)


def assemble(
    nonce: bytes,
    measurements: Mapping[int, bytes],
    opaque: Mapping[int, bytes],
    *,
    device: str = "",
) -> bytes:
    """Return the signed part of a report with these parts; each device adds a nonce of its own."""
    record = b"".join(
        struct.pack("<BBHBH", index + 1, 1, len(value) + 3, 1, len(value)) + value
        for index, value in measurements.items()
    )
    fields = b"".join(struct.pack("<HH", k, len(v)) + v for k, v in opaque.items())
    request = bytes((0x11, 0xE0, 0x01, 0xFF)) + nonce + b"\0"
    head = bytes((0x11, 0x60, 0, 0, len(measurements))) + len(record).to_bytes(3, "little")
    responder = framed_sha256("teeproof.simulated.responder.v1", nonce, device.encode())
    return request + head + record + responder + struct.pack("<H", len(fields)) + fields


def other_twin(report: bytes) -> bytes:
    """Return the report with the other of the two signatures that every verifier accepts."""
    half = SIGNATURE_BYTES // 2
    s = int.from_bytes(report[-half:], "big")
    return report[:-half] + (P384_ORDER - s).to_bytes(half, "big")


def manifest(
    version: str,
    digests: Mapping[int, bytes],
    chain: tuple[Issued, ...],
    *,
    product: str = "GH100",
) -> bytes:
    """Return a signed manifest in which exactly these indices are active.

    Args:
        version: of the driver or VBIOS.
        digests: index from 0 on -> the good digest.
        chain: the signer first.
        product: the chip.
    """
    resources = "".join(
        f'<ns0:Resource type="Measurement" index="{index}" active="{index in digests}" '
        f'alternatives="1" ns2:Hash0="{digests.get(index, bytes(48)).hex()}" '
        f'name="Measurement_{index}" size="48"/>'
        for index in range(MEASUREMENTS)
    )
    body = (
        f'<SoftwareIdentity xmlns="{_SWID}" xmlns:ns0="{_SWID}" '
        f'xmlns:ns2="http://www.w3.org/2001/04/xmlenc#sha384" name="{product}" version="1.0">'
        '<ns0:Entity name="teeproof simulator, not NVIDIA" role="softwareCreator tagCreator"/>'
        f'<ns0:Meta xmlns:ns1="{_RIM}" colloquialVersion="{version}" edition="GPU" '
        f'product="{product}" ns1:BindingSpec="RIMIM"/>'
        f"<ns0:Payload>{resources}</ns0:Payload>%s</SoftwareIdentity>"
    )
    return sign_xml(body, chain)


def sign_xml(body: str, chain: tuple[Issued, ...]) -> bytes:
    """Return a document with an enveloped signature in the place of its ``%s``."""
    from lxml import etree  # noqa: PLC0415  imported only when used

    content = etree.tostring(xmlsig.read((body % "").encode()), method="c14n")
    info = (
        f'<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{xmlsig.C14N}"/>'
        f'<ds:SignatureMethod Algorithm="{xmlsig.ECDSA_SHA384}"/><ds:Reference URI="">'
        f'<ds:Transforms><ds:Transform Algorithm="{xmlsig.ENVELOPED}"/>'
        f'<ds:Transform Algorithm="{xmlsig.C14N}"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{xmlsig.SHA384}"/>'
        f"<ds:DigestValue>{b64encode(sha384(content).digest()).decode()}</ds:DigestValue>"
        "</ds:Reference></ds:SignedInfo>"
    )
    keys = "".join(
        f"<ds:X509Certificate>{b64encode(issued.der).decode()}</ds:X509Certificate>"
        for issued in chain
    )

    def enveloped(value: bytes) -> bytes:
        signature = (
            f'<ds:Signature xmlns:ds="{xmlsig.DS[1:-1]}">{info}<ds:SignatureValue>'
            f"{b64encode(value).decode()}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>{keys}"
            "</ds:X509Data></ds:KeyInfo></ds:Signature>"
        )
        return (body % signature).encode()

    unsigned = xmlsig.parse(enveloped(bytes(SIGNATURE_BYTES)))
    return enveloped(sign_raw(chain[0].key, unsigned.info))


def answer(
    vendor: GpuVendor,
    certificate: Issued,
    issuer: Issued,
    *,
    now: datetime,
    revoked: x509.ReasonFlags | None = None,
    days: int = 1,
    responder: Issued | None = None,
) -> bytes:
    """Return an OCSP answer about one certificate.

    Args:
        vendor: whose responder answers.
        certificate: about which.
        issuer: who issued it.
        now: since when the answer is right.
        revoked: why it is revoked; None where it is good.
        days: how long the answer counts.
        responder: who signs; None for one that the issuer certified.
    """
    responder = responder or vendor.responder(issuer)
    status = ocsp.OCSPCertStatus.GOOD if revoked is None else ocsp.OCSPCertStatus.REVOKED
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=certificate.certificate,
            issuer=issuer.certificate,
            algorithm=hashes.SHA384(),
            cert_status=status,
            this_update=now,
            next_update=now + timedelta(days=days),
            revocation_time=None if revoked is None else now - timedelta(days=1),
            revocation_reason=revoked,
        )
        .responder_id(ocsp.OCSPResponderEncoding.NAME, responder.certificate)
        .certificates([responder.certificate])
    )
    return builder.sign(responder.key, hashes.SHA384()).public_bytes(Encoding.DER)

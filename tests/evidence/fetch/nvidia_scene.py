"""A simulated NVIDIA, its RIM service and its OCSP responder, for the tests of fetching."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.nvidia import DRIVER, VBIOS, SimulatedGpu, manifest
from teeproof.evidence.simulated.nvidia_pki import GpuVendor, Issued
from teeproof.evidence.simulated.nvidia_scene import GpuScene
from tests.sim.vendors import Vendors

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
VENDOR = GpuVendor(b"\x4e" * 32)
SCENE = GpuScene(VENDOR, bytes(range(32)), NOW)
DRIVER_ID = f"NV_GPU_DRIVER_GH100_{DRIVER}"
VBIOS_ID = f"NV_GPU_VBIOS_1010_0200_882_{VBIOS.replace('.', '')}"


def alone() -> Evidence:
    """Return the evidence of two GPUs, and nothing of what their vendor says."""
    return Evidence(quote=SCENE.evidence(rims=(), ocsp=()).document(), name="gpus.json")


def rims() -> tuple[bytes, bytes]:
    """Return the manifests of driver and VBIOS."""
    driver, vbios = SCENE.rims()
    return driver.xml, vbios.xml


@dataclass
class Responder:
    """Answers OCSP requests about the vendor's certificates.

    Attributes:
        vendor: whose.
        now: since when an answer is right.
        days: how long it counts.
        revoked: common name -> why it is revoked.
        repeats: whether it repeats the request's nonce.
        nonce: which it gives in its place.
        about: answers about this certificate whatever is asked.
        signer: signs in place of the responder.
    """

    vendor: GpuVendor = VENDOR
    now: datetime = NOW
    days: int = 1
    revoked: dict[str, x509.ReasonFlags] = field(default_factory=dict)
    repeats: bool = True
    nonce: bytes | None = None
    about: tuple[Issued, Issued] | None = None
    signer: Issued | None = None

    def __call__(self, request: bytes) -> bytes | None:
        asked = ocsp.load_der_ocsp_request(request)
        pair = self.about or next(
            (p for p in self._pairs() if p[0].certificate.serial_number == asked.serial_number),
            None,
        )
        if pair is None:
            return None
        certificate, issuer = pair
        name = certificate.certificate.subject.rfc4514_string()
        why = next((r for text, r in self.revoked.items() if text in name), None)
        responder = self.signer or self.vendor.responder(issuer)
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                cert=certificate.certificate,
                issuer=issuer.certificate,
                algorithm=asked.hash_algorithm,
                cert_status=ocsp.OCSPCertStatus.REVOKED if why else ocsp.OCSPCertStatus.GOOD,
                this_update=self.now,
                next_update=self.now + timedelta(days=self.days),
                revocation_time=self.now - timedelta(days=1) if why else None,
                revocation_reason=why,
            )
            .responder_id(ocsp.OCSPResponderEncoding.NAME, responder.certificate)
            .certificates([responder.certificate])
        )
        given = asked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
        nonce = self.nonce or (given if self.repeats else None)
        if nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
        return builder.sign(responder.key, hashes.SHA384()).public_bytes(Encoding.DER)

    def _pairs(self) -> list[tuple[Issued, Issued]]:
        vendor = self.vendor
        chips = [vendor.chip(gpu.name) for gpu in SCENE.gpus()]
        return [
            (vendor.family, vendor.device_root),
            (vendor.provisioner, vendor.family),
            (vendor.rim_signer, vendor.rim_authority),
            (vendor.rim_authority, vendor.rim_root),
            *((chip, vendor.provisioner) for chip in chips),
        ]


def serve(vendors: Vendors, responder: Responder | None = None) -> None:
    """Serve manifests and answers as NVIDIA does."""
    driver, vbios = rims()
    vendors.publish_rim(DRIVER_ID, driver)
    vendors.publish_rim(VBIOS_ID, vbios)
    vendors.answers = responder or Responder()


def other_manifest(version: str = "999.99", vendor: GpuVendor = VENDOR) -> bytes:
    """Return a manifest of another driver, or of another vendor."""
    made = SimulatedGpu(vendor).measurements
    return manifest(version, {i: made[i] for i in range(21, 41)}, vendor.rim_chain)

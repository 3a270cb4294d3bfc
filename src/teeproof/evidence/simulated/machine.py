"""A simulated machine: it boots a guest, quotes, and hands over evidence.

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric import ec

from teeproof.core.digests import sha256
from teeproof.core.errors import Usage
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated import provider
from teeproof.evidence.simulated import quote as write
from teeproof.evidence.simulated.collateral import Edition, publish
from teeproof.evidence.simulated.eventlog import Event, encode, replay
from teeproof.evidence.simulated.guest import Guest
from teeproof.evidence.simulated.hardware import Domain, Processor, QuotingEnclave
from teeproof.evidence.simulated.keys import private_key
from teeproof.evidence.simulated.pki import Issued, Pki, pem_chain
from teeproof.evidence.simulated.quote import BodyType, Version

__all__ = ["Machine", "require_report_data"]

REPORT_DATA_BYTES = 64


class Machine:
    """One machine of a simulated vendor, booted.

    Args:
        pki: the vendor.
        processor: the hardware that the vendor certified.
        enclave: the quoting enclave.
        domain: the trust domain.
        guest: what runs in it.
        events: what is measured, if it is not what the guest says.
    """

    def __init__(
        self,
        pki: Pki,
        *,
        processor: Processor | None = None,
        enclave: QuotingEnclave | None = None,
        domain: Domain | None = None,
        guest: Guest | None = None,
        events: tuple[Event, ...] | None = None,
    ) -> None:
        self.pki = pki
        self.processor = processor or Processor()
        self.enclave = enclave or QuotingEnclave()
        self.domain = domain or Domain()
        self.guest = guest or Guest()
        self.events = self.guest.events() if events is None else events

    @cached_property
    def pck(self) -> Issued:
        """The machine's PCK certificate and key."""
        return self.pki.pck(self.processor)

    @cached_property
    def rtmrs(self) -> tuple[bytes, bytes, bytes, bytes]:
        """RTMR0 to RTMR3, 48 bytes each."""
        return replay(self.events)

    def quote(
        self, report_data: bytes, *, version: Version = 4, body: BodyType | None = None
    ) -> bytes:
        """Return a quote over 64 bytes.

        Args:
            report_data: 64 bytes that the quote vouches for.
            version: of the quote.
            body: of the TD report; version 4 knows only ``1.0``, version 5 defaults to ``1.5``.
        """
        body = body or ("1.0" if version == 4 else "1.5")
        require_report_data(report_data)
        if version == 4 and body != "1.0":
            raise Usage(
                "a quote of version 4 carries a TD report 1.0 only", expected="1.0", got=body
            )
        report = write.td_report(
            self.domain,
            mrconfigid=self.guest.mrconfigid(),
            rtmrs=self.rtmrs,
            report_data=report_data,
            body=body,
        )
        signed = write.signed_region(
            report,
            version=version,
            body=body,
            vendor=self.enclave.vendor,
            qe=sha256(self.processor.ppid),
        )
        return write.wrap(
            signed, attestation_key=self._attestation_key, certified=self._certification
        )

    def evidence(
        self,
        report_data: bytes,
        *,
        now: datetime,
        version: Version = 4,
        body: BodyType | None = None,
        collateral: Collateral | None = None,
    ) -> Evidence:
        """Return a quote and all that explains it; fresh collateral unless some is given."""
        return Evidence(
            quote=self.quote(report_data, version=version, body=body),
            event_log=encode(self.events),
            compose=self.guest.compose,
            mr_config=self.guest.mr_config_document(),
            collateral=collateral or publish(self.pki, Edition.at(now)),
            name=f"simulated {self.processor.name}",
        )

    def derive(self, path: str) -> bytes:
        """Return the 32 secret bytes that the key provider gives this application for a path.

        The same code gets the same bytes on each machine of this vendor, other code gets others.
        """
        return provider.derive(self.pki.seed, self.guest.compose_hash, path)

    def vouch(self, public_key: bytes, *, purpose: str) -> tuple[bytes, bytes]:
        """Return dstack's signature chain of a derived key, up to ``provider_root``."""
        return provider.vouch(
            self.pki.seed,
            compose_hash=self.guest.compose_hash,
            app_id=self.guest.app_id,
            public_key=public_key,
            purpose=purpose,
        )

    @property
    def provider_root(self) -> bytes:
        """The key provider's own key, secp256k1, 33 bytes."""
        return provider.root(self.pki.seed)

    @cached_property
    def _attestation_key(self) -> ec.EllipticCurvePrivateKey:
        return private_key(self.pki.seed, f"attestation {self.processor.name}")

    @cached_property
    def _certification(self) -> bytes:
        report = write.qe_report(
            self.enclave,
            cpu_svn=self.processor.cpu_svn,
            attestation_key=self._attestation_key,
        )
        return write.certification(
            report,
            pck_key=self.pck.key,
            attestation_key=self._attestation_key,
            pck_chain=pem_chain(self.pck, self.pki.pck_ca, self.pki.root),
        )


def require_report_data(report_data: bytes) -> None:
    """Raise Usage unless these are 64 bytes."""
    if len(report_data) != REPORT_DATA_BYTES:
        raise Usage(
            "report_data is not 64 bytes long: hash what you want to bind",
            code="report_data_length",
            expected=f"{REPORT_DATA_BYTES} bytes",
            got=f"{len(report_data)} bytes",
        )

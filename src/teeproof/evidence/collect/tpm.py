"""Collect evidence from a TPM 2.0: make its attestation key, have it quote, read the registers.

It speaks the TPM's own protocol, to Linux's device or to a software TPM's socket. The key is a
primary one under the endorsement hierarchy, so each boot of one TPM gives the same key. On Google's
machines the cloud laid down how to make it, and its certificate.

Trusts: nothing; whether the quote is authentic is for a verifier to say.
Does not trust: the TPM, the host, the event log.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, Self

from teeproof.core.errors import Malformed, Unavailable, Usage
from teeproof.evidence.collect.tpm_commands import (
    ENDORSEMENT,
    Tpm,
    ecc_ak_template,
    rsa_ak_template,
    rsa_ek_template,
)
from teeproof.evidence.collect.tpm_device import open_channel
from teeproof.evidence.record import MAX_EVENT_LOG_BYTES, Evidence
from teeproof.evidence.tpm import pcrs, quote, signature
from teeproof.evidence.tpm.credential import Challenge
from teeproof.evidence.tpm.document import TpmEvidence
from teeproof.evidence.tpm.quote import Selection
from teeproof.evidence.tpm.wire import SHA1, SHA256, sized

__all__ = ["DEVICE", "EVENT_LOG", "Enrolment", "TpmAttester", "open_tpm", "quote_registers"]

DEVICE = "/dev/tpmrm0"
EVENT_LOG = Path("/sys/kernel/security/tpm0/binary_bios_measurements")
D_BYTES = 32
_TRIES = 3  # the running system may extend a register between quote and reading
_TEMPLATES = {"ecc": ecc_ak_template, "rsa": rsa_ak_template}
# Where Google's machines keep certificate (DER) and template of the key: go-tpm-tools, client.
_GOOGLE = {"rsa": (0x01C10000, 0x01C10001), "ecc": (0x01C10002, 0x01C10003)}


class Enrolment(NamedTuple):
    """The two keys that a verifier makes a challenge for, as TPM2B_PUBLIC."""

    endorsement_key: bytes
    attestation_key: bytes


class TpmAttester:
    """The TPM of this machine.

    Attributes:
        address: a device file, a unix socket's path, or ``host:port``.
    """

    def __init__(
        self,
        address: str = DEVICE,
        *,
        key: Literal["ecc", "rsa"] = "ecc",
        certificates: bytes | None = None,
        event_log: Path | None = EVENT_LOG,
        timeout: float = 30.0,
    ) -> None:
        """Remember the TPM; nothing is asked yet.

        Args:
            address: where the TPM is.
            key: kind of attestation key to make.
            certificates: PEM chain of that key, if its issuer gave one.
            event_log: the firmware's log, handed over where there is one.
            timeout: seconds for each command.
        """
        self.address = address
        self._template = _TEMPLATES[key]()
        self._certificates, self._event_log, self._timeout = certificates, event_log, timeout

    @classmethod
    def google(
        cls,
        address: str = DEVICE,
        *,
        issuers: bytes,
        key: Literal["ecc", "rsa"] = "ecc",
        event_log: Path | None = EVENT_LOG,
        timeout: float = 30.0,
    ) -> Self:
        """Return the TPM of one of Google's machines, with the key that Google certified.

        Args:
            address: where the TPM is.
            issuers: PEM chain of the issuers of the key's certificate, up to the root.
            key: kind of key.
            event_log: the firmware's log, handed over where there is one.
            timeout: seconds for each command.

        Raises:
            Unavailable: the TPM did not answer, or has no such key.
        """
        self = cls(address, key=key, event_log=event_log, timeout=timeout)
        certificate, template = _GOOGLE[key]
        with self._open() as tpm:
            self._template = sized(tpm.read_nv(template))
            leaf = b64encode(tpm.read_nv(certificate))
        pem = b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"
        self._certificates = pem % leaf + issuers
        return self

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"the TPM at {self.address}"

    def attest(self, report_data: bytes) -> Evidence:
        """Return fresh evidence that binds D: the first 32 of these 64 bytes; the rest is zero.

        Raises:
            Usage: other bytes.
            Unavailable: the TPM did not answer, or refused.
        """
        if len(report_data) != 2 * D_BYTES or any(report_data[D_BYTES:]):
            raise Usage(
                "a TPM quotes D alone: report data is 32 bytes, and 32 zero bytes",
                code="report_data_malformed",
                got=f"{len(report_data)} bytes",
            )
        return Evidence(quote=self.quote(report_data[:D_BYTES]).to_bytes(), name=self.name)

    def quote(self, data: bytes) -> TpmEvidence:
        """Return a quote over all registers of the strong banks and up to 64 bytes of data.

        Raises:
            Unavailable: the TPM did not answer, or refused.
        """
        log = self._log()
        with self._open() as tpm, _key(tpm, self._template) as (key, public):
            selections = _strong(tpm.banks())
            attest, signed, values = quote_registers(tpm, key, data, selections=selections)
        return TpmEvidence(
            quote=attest,
            signature=signed,
            public=public,
            pcrs=values,
            certificates=self._certificates,
            event_log=log,
        )

    def enrolment(self) -> Enrolment:
        """Return the keys that a verifier needs for its challenge (``tpm.credential``).

        Raises:
            Unavailable: the TPM did not answer, or refused.
        """
        with self._open() as tpm:
            with _key(tpm, rsa_ek_template()) as (_, endorsement):
                pass
            with _key(tpm, self._template) as (_, attestation):
                return Enrolment(endorsement, attestation)

    def answer(self, challenge: Challenge) -> bytes:
        """Return the secret of a challenge that was made for both of this TPM's keys.

        Raises:
            Unavailable: the TPM did not answer, or the challenge is for other keys.
        """
        with (
            self._open() as tpm,
            _key(tpm, rsa_ek_template()) as (endorsement, _),
            _key(tpm, self._template) as (key, _),
        ):
            return tpm.activate(key, endorsement, blob=challenge.blob, secret=challenge.secret)

    def _open(self) -> AbstractContextManager[Tpm]:
        return open_tpm(self.address, timeout=self._timeout)

    def _log(self) -> bytes | None:
        if self._event_log is None or not self._event_log.exists():
            return None
        try:
            with self._event_log.open("rb") as file:
                log = file.read(MAX_EVENT_LOG_BYTES + 1)
        except PermissionError:
            return None  # the kernel shows it to root alone; a quote stands without it
        return log if len(log) <= MAX_EVENT_LOG_BYTES else None


@contextmanager
def open_tpm(address: str, *, timeout: float) -> Iterator[Tpm]:
    """Open the TPM at an address; whatever it says wrongly is an error that names it.

    Raises:
        Unavailable: it cannot be opened, does not answer, refuses, or gives a malformed answer.
    """
    with open_channel(address, timeout=timeout) as channel:
        try:
            yield Tpm(channel, name=address)
        except Malformed as error:
            raise Unavailable(
                f"the TPM at {address} gave an answer that cannot be used: {error.detail}",
                code="tpm_answer_malformed",
                expected=error.expected,
                got=error.got,
            ) from None


def quote_registers(
    tpm: Tpm, key: int, data: bytes, *, selections: tuple[Selection, ...]
) -> tuple[bytes, bytes, pcrs.Banks]:
    """Return a quote, its signature, and the registers as they were when it was made.

    Raises:
        Unavailable: the running system extends registers as fast as they are read.
    """
    for _ in range(_TRIES):
        values = tpm.read_pcrs(selections)
        attest, signed = tpm.quote(key, data, selections=selections)
        if _fits(attest, signed, values):
            return attest, signed, values
    raise Unavailable(
        "the TPM's registers change as fast as they are read: ask again", code="tpm_pcrs_change"
    )


@contextmanager
def _key(tpm: Tpm, template: bytes) -> Iterator[tuple[int, bytes]]:
    handle, public = tpm.create_primary(template, hierarchy=ENDORSEMENT)
    try:
        yield handle, public
    finally:
        tpm.flush(handle)


def _strong(banks: tuple[Selection, ...]) -> tuple[Selection, ...]:
    strong = tuple(one for one in banks if one.bank != SHA1)
    if not strong:
        raise Unavailable(
            "this TPM keeps SHA-1 registers alone: have its firmware allocate a SHA-256 bank",
            code="tpm_sha1_only",
        )
    return tuple(one for one in strong if one.bank == SHA256) or strong[:1]


def _fits(attest: bytes, signed: bytes, values: pcrs.Banks) -> bool:
    parsed, algorithm = quote.parse(attest), signature.parse(signed).hash
    if pcrs.missing(parsed, values) is not None:
        return False
    return pcrs.pcr_digest(parsed, values, algorithm=algorithm) == parsed.pcr_digest

"""A simulated confidential machine of Azure's: hardware, a paravisor, and the TPM that it keeps.

Source: Azure, "Virtual TPMs in Azure confidential VMs"; Intel TDX Module ABI, TDREPORT_STRUCT.

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import json
import struct
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime
from math import prod

from teeproof.core.digests import sha256
from teeproof.evidence.azure.document import AzureEvidence
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.machine import Machine
from teeproof.evidence.simulated.snp.machine import SnpMachine
from teeproof.evidence.simulated.snp.rsa import RsaKey, rsa_key
from teeproof.evidence.simulated.tpm import TpmMachine, attest
from teeproof.evidence.tpm.document import TpmEvidence
from teeproof.evidence.tpm.signature import rsassa_sha256

__all__ = ["Paravisor", "on_snp", "on_tdx"]

_SHA256, _SNP, _TDX = 0xB, 2, 4
_HARDWARE_BYTES = 0x4A0


@dataclass(frozen=True, slots=True)
class Paravisor:
    """The paravisor of one machine, and the TPM in it.

    Attributes:
        seed: 32 bytes, from which the TPM's key follows.
        tpm: what the TPM measured.
        named: the seed of the key that the runtime data names, if it is not the TPM's own.
    """

    seed: bytes
    tpm: TpmMachine = field(default_factory=TpmMachine)
    named: bytes | None = None

    def runtime(self) -> bytes:
        """Return the runtime data, to which report_data commits."""
        key = _key(self.named or self.seed)
        jwk = {
            "kid": "HCLAkPub",
            "key_ops": ["sign"],
            "kty": "RSA",
            "e": "AQAB",
            "n": _base64(prod(key.primes)),
        }
        configuration = {"secure-boot": True, "tpm-enabled": True, "vmUniqueId": "SIMULATED"}
        return json.dumps({"keys": [jwk], "vm-configuration": configuration}).encode()

    @property
    def report_data(self) -> bytes:
        """The 64 bytes that the paravisor has the hardware sign."""
        return sha256(self.runtime()) + bytes(32)

    def report(self, hardware: bytes, kind: int) -> bytes:
        """Return the paravisor's report around the hardware's."""
        text = self.runtime()
        request = struct.pack("<IIIII", 20 + len(text), 1, kind, 1, len(text))
        return b"HCLA" + bytes(28) + hardware.ljust(_HARDWARE_BYTES, b"\0") + request + text

    def quote(self, data: bytes) -> TpmEvidence:
        """Return a quote of all registers by the TPM's key."""
        registers = self.tpm.registers
        message = attest(data, signer=b"", registers=registers)
        signature = rsassa_sha256(_key(self.seed).sign_pkcs1(message))
        return TpmEvidence(quote=message, signature=signature, pcrs={_SHA256: registers})


def on_tdx(machine: Machine, paravisor: Paravisor, data: bytes, *, now: datetime) -> Evidence:
    """Return the evidence of a machine on TDX; the quote is over the paravisor's report."""
    inner = machine.evidence(paravisor.report_data, now=now)
    body = inner.quote[48 : 48 + 584]  # header, TD report 1.0
    # REPORTMACSTRUCT with REPORTDATA at 128; TDINFO from ATTRIBUTES to RTMR3 at 512.
    report = bytearray(1024)
    report[0] = 0x81
    report[128:192] = paravisor.report_data
    report[512:912] = body[120:520]
    document = AzureEvidence(
        hcl_report=paravisor.report(bytes(report), _TDX),
        tpm=paravisor.quote(data),
        td_quote=inner.quote,
    )
    return Evidence(quote=document.to_bytes(), collateral=inner.collateral)


def on_snp(machine: SnpMachine, paravisor: Paravisor, data: bytes) -> Evidence:
    """Return the evidence of a machine on SEV-SNP; AMD's authorities lie beside it."""
    inner = machine.evidence(paravisor.report_data)
    leaf, *_ = machine.key.chain
    document = AzureEvidence(
        hcl_report=paravisor.report(inner.quote, _SNP), tpm=paravisor.quote(data), vcek=leaf
    )
    return Evidence(quote=document.to_bytes(), certificates=inner.certificates)


def _key(seed: bytes) -> RsaKey:
    return rsa_key(seed, "azure attestation key")


def _base64(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return urlsafe_b64encode(data).rstrip(b"=").decode()

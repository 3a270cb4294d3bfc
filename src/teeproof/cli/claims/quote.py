"""What a quote claims, field by field as explorers show it, and what each number means."""

from __future__ import annotations

from typing import Any

from teeproof.core.clock import format_time
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error
from teeproof.evidence import sgx, x509
from teeproof.evidence.policy import INTEL_ROOT
from teeproof.evidence.tdx import quote as tdx
from teeproof.evidence.tdx.facts import TdAttributes
from teeproof.evidence.tdx.layout import INTEL_QE_VENDOR, Header, TdReport10, TdReport15
from teeproof.evidence.tdx.pck import parse_pck

__all__ = ["sgx_quote", "tdx_quote"]

Claims = dict[str, Any]

_KEY_TYPES = {2: "ECDSA over P-256", 3: "ECDSA over P-384"}
_TEE_TYPES = {0: "SGX", 0x81: "TDX"}
_SGX_TYPES = {0: "standard", 1: "scalable", 2: "scalable with integrity"}
# Intel SDM volume 1, section 13.1, "XSAVE-supported features"
_XFAM = {
    0: "x87", 1: "SSE", 2: "AVX", 3: "MPX", 4: "MPX", 5: "AVX-512", 6: "AVX-512", 7: "AVX-512",
    8: "PT", 9: "PKRU", 10: "PASID", 11: "CET", 12: "CET", 13: "HDC", 14: "UINTR", 15: "LBR",
    16: "HWP", 17: "AMX", 18: "AMX", 19: "APX",
}  # fmt: skip
_MRCONFIGID = {
    1: "dstack version 1: the compose hash",
    2: "dstack version 2: a hash of compose file, app id and key provider",
    3: "dstack version 3: the hash of a MrConfigV3 document",
}


def tdx_quote(raw: bytes, *, ppid: bool) -> Claims:
    """Return what a TDX quote claims; Malformed if it is none."""
    quote = tdx.parse(raw)
    return {
        "header": _header(quote.header),
        "td_report": _td_report(quote.body),
        "after_the_signature": _tail(quote.trailing),
        **_certified(quote.signature.pck_chain, ppid),
    }


def sgx_quote(raw: bytes, *, ppid: bool) -> Claims:
    """Return what an SGX quote claims; Malformed if it is none."""
    quote = sgx.parse(raw)
    return {
        "header": _header(quote.header),
        "enclave_report": _enclave_report(quote.report),
        "after_the_signature": _tail(quote.trailing),
        **_certified(quote.pck_chain, ppid),
    }


def _header(header: Header) -> Claims:
    return {
        "version": header.version,
        "key_type": header.key_type,
        "key_type_meaning": _KEY_TYPES.get(header.key_type, "unknown"),
        "tee_type": f"{header.tee_type:#x}",
        "tee_type_meaning": _TEE_TYPES.get(header.tee_type, "unknown"),
        "qe_vendor": header.qe_vendor.hex(),
        "qe_vendor_meaning": "Intel" if header.qe_vendor == INTEL_QE_VENDOR else "unknown",
    }


def _td_report(body: TdReport10) -> Claims:
    attributes = TdAttributes.of(body)
    unknown = f", and unknown bits {attributes.unknown:#x}" if attributes.unknown else ""
    found: Claims = {
        "form": body.name,
        "tee_tcb_svn": body.tee_tcb_svn.hex(),
        "tee_tcb_svn_meaning": _module(body.tee_tcb_svn),
        "mrseam": body.mrseam.hex(),
        "mrseam_meaning": "the TDX module",
        "mrsignerseam": body.mrsignerseam.hex(),
        "mrsignerseam_meaning": "another signer"
        if any(body.mrsignerseam)
        else "Intel's own module",
        "seamattributes": body.seamattributes.hex(),
        "tdattributes": body.tdattributes.hex(),
        "tdattributes_meaning": (", ".join(attributes.names) or "none") + unknown,
        "xfam": body.xfam.hex(),
        "xfam_meaning": _features(int.from_bytes(body.xfam, "little")),
        "mrtd": body.mrtd.hex(),
        "mrtd_meaning": "the firmware that the machine starts with",
        "mrconfigid": body.mrconfigid.hex(),
        "mrconfigid_meaning": _mrconfigid(body.mrconfigid),
        "mrowner": body.mrowner.hex(),
        "mrownerconfig": body.mrownerconfig.hex(),
    }
    found |= {f"rtmr{index}": value.hex() for index, value in enumerate(body.rtmrs)}
    found |= _report_data(body.report_data)
    if isinstance(body, TdReport15):
        found |= {
            "tee_tcb_svn2": body.tee_tcb_svn2.hex(),
            "tee_tcb_svn2_meaning": "as of now, where tee_tcb_svn is as of the domain's start",
            "mrservicetd": body.mrservicetd.hex(),
            "mrservicetd_meaning": "a service TD" if any(body.mrservicetd) else "no service TD",
        }
    return found


def _module(svn: bytes) -> str:
    return f"TDX module version {svn[1]}, SVN {svn[0]}"


def _enclave_report(report: bytes) -> Claims:
    # Intel SGX SDK, sgx_report_body_t
    flags = int.from_bytes(report[48:56], "little")
    return {
        "cpu_svn": report[0:16].hex(),
        "miscselect": report[16:20].hex(),
        "attributes": report[48:64].hex(),
        "attributes_meaning": "DEBUG: the host can look inside" if flags & 2 else "no debugging",
        "mrenclave": report[64:96].hex(),
        "mrsigner": report[128:160].hex(),
        "isv_prod_id": int.from_bytes(report[256:258], "little"),
        "isv_svn": int.from_bytes(report[258:260], "little"),
        **_report_data(report[320:384]),
    }


def _report_data(value: bytes) -> Claims:
    text = value.rstrip(b"\0")
    printable = len(text) >= 4 and all(0x20 <= byte < 0x7F for byte in text)
    meaning = f'text: "{text.decode()}"' if printable else None
    if not text:
        meaning = "zero: binds nothing"
    return {"report_data": value.hex()} | ({"report_data_meaning": meaning} if meaning else {})


def _mrconfigid(value: bytes) -> str:
    if not any(value):
        return "zero: the host fixed no configuration"
    return _MRCONFIGID.get(value[0], "set, and not by dstack")


def _features(bits: int) -> str:
    names = [_XFAM.get(bit, f"bit {bit}") for bit in range(64) if bits >> bit & 1]
    return ", ".join(dict.fromkeys(names)) or "none"


def _tail(trailing: bytes) -> str:
    if not trailing:
        return "nothing"
    return f"{len(trailing)} {'bytes that nobody signed' if any(trailing) else 'zero bytes'}"


def _certified(chain: bytes, ppid: bool) -> Claims:
    try:
        certificates = x509.parse_chain(chain, what="PCK certificate chain")
    except Error as error:
        return {"certificates_meaning": f"cannot be read: {error.detail}"}
    subjects = {c.subject_name: c.subject for c in certificates}
    found: Claims = {
        "certificates": [
            _certificate(c, subjects.get(c.issuer_name, "not in this chain")) for c in certificates
        ]
    }
    try:
        return found | {"platform": _platform(certificates[0], ppid)}
    except Error as error:
        return found | {"platform_meaning": f"cannot be read: {error.detail}"}


def _certificate(certificate: x509.Certificate, issuer: str) -> Claims:
    found: Claims = {
        "subject": certificate.subject,
        "issuer": issuer,
        "valid_from": format_time(certificate.not_before),
        "valid_until": format_time(certificate.not_after),
        "key": certificate.fingerprint,
        "sha256": named(sha256(certificate.der)),
    }
    if certificate.fingerprint == INTEL_ROOT:
        found["key_meaning"] = "Intel's root key"
    elif certificate.simulated:
        found["key_meaning"] = "SIMULATED: it carries a simulator's mark"
    return found


def _platform(leaf: x509.Certificate, ppid: bool) -> Claims:
    pck = parse_pck(leaf)
    found: Claims = {
        "fmspc": pck.fmspc.hex(),
        "platform_id": pck.platform_id,
        "platform_id_meaning": "the digest of the PPID, which names the machine for ever",
        "tcb_components": " ".join(map(str, pck.components)),
        "pce_svn": pck.pce_svn,
        "pce_id": pck.pce_id.hex(),
        "cpu_svn": pck.cpu_svn.hex(),
        "sgx_type": pck.sgx_type,
        "sgx_type_meaning": _SGX_TYPES.get(pck.sgx_type, "unknown"),
        "dynamic_platform": pck.dynamic_platform,
        "cached_keys": pck.cached_keys,
        "smt": pck.smt,
    }
    return found | ({"ppid": pck.ppid.hex()} if ppid else {})

"""What each field of evidence is, in a sentence for somebody who sees it for the first time.

The values and their particular meanings come from ``teeproof show``; here is what a field is for,
whatever its value. Sources: Intel TDX module base specification (TD report, TDX quote), Intel SGX
SDK (report body), AMD SEV-SNP ABI specification (attestation report), dstack's documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Field", "Section", "explained", "sections"]

_REGISTERS = {
    "rtmr0": "Grows while the firmware starts: virtual hardware, as the host laid it out.",
    "rtmr1": "Grows with the kernel and how the firmware started it.",
    "rtmr2": "Grows with the kernel's command line and the initial ramdisk.",
    "rtmr3": "Grows as the running system likes; dstack measures the application here.",
}
_TDX = {
    "form": "Which version of Intel's report this is.",
    "tee_tcb_svn": "Security versions of the TDX module that was loaded when the machine started.",
    "tee_tcb_svn2": "The same of the module that is loaded now.",
    "mrseam": "The measurement of the TDX module, Intel's software that isolates the machine.",
    "mrsignerseam": "Who signed the TDX module; zero stands for Intel.",
    "seamattributes": "Attributes of the TDX module; zero for a production module.",
    "tdattributes": "Switches of the machine; DEBUG would let the host read its memory.",
    "xfam": "Which processor features the machine may use.",
    "mrtd": "The measurement of the firmware and of the memory that the machine starts with.",
    "mrconfigid": "Set by the host at the start, then fixed; dstack puts the application here.",
    "mrowner": "Set by the host at the start: an owner, if it says so.",
    "mrownerconfig": "Set by the host at the start: the owner's configuration, if it says so.",
    "mrservicetd": "Which service domain may work on this machine's memory; zero for none.",
    "report_data": "64 bytes that the program inside chose: usually the digest of a key, or of a"
    " question that it was asked.",
    **_REGISTERS,
}
_SGX = {
    "cpu_svn": "Security versions of the processor.",
    "miscselect": "Which extra state the enclave saves when it is interrupted.",
    "attributes": "Switches of the enclave; DEBUG would let the host look inside.",
    "mrenclave": "The measurement of the enclave's program.",
    "mrsigner": "Who signed the enclave: the digest of the signer's key.",
    "isv_prod_id": "The signer's number for the product.",
    "isv_svn": "The signer's security version of the product.",
}
_SNP = {
    "version": "Which version of the report this is.",
    "measurement": "The measurement of everything that the guest started with.",
    "host_data": "32 bytes that the host set at the start, and that are fixed from then on.",
    "family_id": "A number that the guest's owner gave to a family of images.",
    "image_id": "A number that the guest's owner gave to the image.",
    "guest_svn": "The owner's security version of the image.",
    "vmpl": "How privileged the asker was inside the guest; 0 is the most.",
    "policy": "What the owner allows the host, such as debugging; fixed at the start.",
    "platform_info": "What the machine has switched on, such as two threads per core.",
    "key_info": "Which kind of key signed the report.",
    "id_key_digest": "Who signed the owner's id block; zero for nobody.",
    "author_key_digest": "Who vouched for that key; zero for nobody.",
    "report_id": "A number of this guest for as long as it runs.",
    "report_id_ma": "The same of its migration agent; all ones for none.",
    "product": "AMD's name for the processor.",
    "reported_tcb": "Security versions that the host reports; the signing key depends on them.",
    "current_tcb": "Security versions that run now.",
    "committed_tcb": "Security versions that the host cannot go back behind.",
    "launch_tcb": "Security versions at the guest's start.",
    "firmware": "The version of AMD's firmware that runs.",
    "committed_firmware": "The version that the host cannot go back behind.",
    "reserved": "Bytes that should be zero and are not.",
}
_COMMON = {
    "written_as": "How the file was written.",
    "bytes": "How long the file is.",
    "version": "Which version of the format this is.",
    "key_type": "Which kind of key signed the report inside.",
    "tee_type": "Which kind of machine this is about.",
    "qe_vendor": "Whose quoting enclave signed: the program that turns a report into a quote.",
    "after_the_signature": "Bytes behind what is signed; nobody vouches for them.",
    "subject": "For whom a certificate was made.",
    "issuer": "Who made it.",
    "valid_from": "The first moment at which it is valid.",
    "valid_until": "The last one.",
    "begins": "The first moment at which it is valid.",
    "ends": "The last one.",
    "key": "The digest of a public key.",
    "serial": "The certificate's number, by which it can be revoked.",
    "sha256": "The digest of the whole certificate.",
    "fmspc": "Intel's name for the model and generation of the platform.",
    "platform_id": "The digest of the platform's number: the same for all evidence of one machine.",
    "tcb_components": "Security versions that Intel certified the platform for.",
    "pce_svn": "The security version of Intel's provisioning enclave.",
    "pce_id": "Which provisioning enclave it is.",
    "sgx_type": "How the processor protects memory.",
    "dynamic_platform": "Whether processors may be added to the platform.",
    "cached_keys": "Whether Intel keeps a copy of the platform's root keys.",
    "smt": "Whether each core runs two threads.",
    "app_id": "dstack's name for the application.",
    "remarks": "What is odd about the file.",
    "usage": "What the certificate's key is for, in dstack's words.",
}
_TEXT: Mapping[str, str] = {**_SNP, **_SGX, **_COMMON, **_TDX}
_HIDDEN = ("kind", "name", "verified")
_MEANING = "_meaning"
_SECRET = frozenset({"ppid", "chip_id"})  # they name a machine for ever; no page shows them
_MOST = 600  # rows of one file


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One row: the field's name, its value, what this value means, what the field is for."""

    name: str
    value: str
    meaning: str | None
    purpose: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Fields under one heading."""

    title: str
    fields: tuple[Field, ...]


def explained(name: str) -> str | None:
    """Return what a field is for; None where nobody has written it down."""
    return _TEXT.get(name)


def sections(claims: Mapping[str, Any]) -> list[Section]:
    """Return a file's claims in reading order, nested ones under a heading of their own."""
    left = [_MOST]
    body = {key: value for key, value in claims.items() if key not in _HIDDEN}
    return [one for one in _walk("the file", body, left) if one.fields]


def _walk(title: str, body: Mapping[str, Any], left: list[int]) -> Iterator[Section]:
    rows: list[Field] = []
    nested: list[tuple[str, Any]] = []
    for key, value in body.items():
        if key in _SECRET or left[0] <= 0:
            continue
        if isinstance(value, Mapping) or _is_table(value):
            nested.append((key, value))
        elif not (key.endswith(_MEANING) and key.removesuffix(_MEANING) in body):
            left[0] -= 1
            name = key.removesuffix(_MEANING)
            meaning = body.get(f"{key}{_MEANING}")
            rows.append(Field(name=name, value=_shown(value), purpose=explained(name),
                              meaning=None if meaning is None else str(meaning)))  # fmt: skip
    yield Section(title=title, fields=tuple(rows))
    for key, value in nested:
        heading = key.replace("_", " ")
        if isinstance(value, Mapping):
            yield from _walk(heading, value, left)
            continue
        for number, row in enumerate(value, 1):
            yield from _walk(f"{heading}, {number} of {len(value)}", row, left)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _shown(value: Any) -> str:
    if value is None:
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_shown, value[:100])) or "none"
    text = str(value)
    if len(text) >= 32 and not text.strip("0"):
        return f"{len(text) // 2} zero bytes"
    return text

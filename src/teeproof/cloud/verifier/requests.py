"""What clients ask of a verifier, bounded and strict: ours, and dstack-verifier's.

    {"files": ["<base64>", …], "policy": "strict", "at": "2026-02-25", "nonce": "…"}

Files have no names: what something is shows in its bytes, and one client's names are no other's
business. Without ``at``, T is now, or a little before where somebody asked the same just then.

Of dstack-verifier's request, ``quote`` with ``event_log`` and ``vm_config``, or ``attestation``,
are read. ``pccs_url`` is not: a verifier that asks an address which a client names can be made to
ask anything inside its network, and to believe what it says.

Source: dstack, verifier/src/types.rs (VerificationRequest).

Trusts: nothing.  Does not trust: clients.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from teeproof.core import strictjson
from teeproof.core.clock import parse_time, to_epoch
from teeproof.core.digests import framed_sha256, sha256
from teeproof.core.errors import Malformed, TooLarge, Usage

__all__ = [
    "MAX_BODY",
    "MAX_FILES",
    "Asked",
    "asked_as_file",
    "asked_as_json",
    "asked_of_dstack",
]

MAX_BODY = 8 << 20  # the largest collateral in base64, and what it belongs to
MAX_FILES = 32
_EVIDENCE = ("quote", "event_log", "vm_config")
_IGNORED = {
    "pccs_url": "pccs_url was not asked: this verifier fetches nothing, least of all from an"
    " address that a client names",
    "debug": "debug has no effect: the checks that failed say why",
}


class _Wire(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    files: list[str]
    policy: str | None = None
    at: str | int | None = None
    nonce: str | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants judged.

    Attributes:
        files: evidence and what explains it, in any order.
        policy: a policy's name; None for the service's own choice.
        at: T, seconds since 1970; None for now.
        nonce: what an EAR is to repeat.
        remarks: sentences about what was ignored.
    """

    files: tuple[bytes, ...]
    policy: str | None = None
    at: int | None = None
    nonce: str | None = None
    remarks: tuple[str, ...] = ()

    def digest(self, *, policy: str, time: str, archive: str) -> bytes:
        """Return what names this question with its answer's other inputs, 32 bytes.

        Args:
            policy: digest of the policy, or what stands for the usual one.
            time: T, or for how long an answer as of now serves.
            archive: the state of the archive of endorsements.
        """
        files = (sha256(data) for data in self.files)
        named = (policy.encode(), time.encode(), archive.encode())
        return framed_sha256("teeproof.evidence-request.v1", *named, *files)


def asked_as_json(body: bytes) -> Asked:
    """Return what a client asks in our JSON.

    Raises:
        TooLarge, Malformed: not this form. Usage: no files, too many, or no time.
    """
    value = strictjson.loads(body, limit=MAX_BODY, what="request")
    try:
        wire = msgspec.convert(value, _Wire, strict=True)
    except msgspec.ValidationError as error:
        raise Malformed(
            "this request is not understood; to send one file as it is, use content-type"
            " application/octet-stream",
            code="request_malformed",
            expected='{"files": ["<base64>", …], "policy": …, "at": …, "nonce": …}',
            got=str(error)[:200],
        ) from None
    if not 1 <= len(wire.files) <= MAX_FILES:
        raise Usage(
            "send the files of one machine",
            code="request_files",
            expected=f"1 to {MAX_FILES} files",
            got=f"{len(wire.files)} files",
        )
    return Asked(
        files=tuple(_decoded(text, number) for number, text in enumerate(wire.files, 1)),
        policy=wire.policy,
        at=None if wire.at is None else to_epoch(parse_time(str(wire.at))),
        nonce=wire.nonce,
    )


def asked_as_file(body: bytes) -> Asked:
    """Return what a client asks who sends one file as it is; Malformed if it is empty."""
    if not body:
        raise Malformed("the request is empty: send evidence", code="request_malformed")
    return Asked(files=(body,))


def asked_of_dstack(body: bytes) -> Asked:
    """Return what a client asks as it would ask dstack-verifier; other fields are ignored.

    Raises:
        TooLarge, Malformed: no JSON object, or without a quote and an attestation.
    """
    value = strictjson.loads(body, limit=MAX_BODY, what="request")
    if not isinstance(value, dict):
        raise _not_dstack(type(value).__name__)
    remarks = tuple(why for field, why in _IGNORED.items() if value.get(field))
    given = value.get("attestation")
    if isinstance(given, str) and given:
        return Asked(files=(_json({"attestation": given}),), remarks=remarks)
    if not isinstance(value.get("quote"), str):
        raise _not_dstack(", ".join(sorted(value))[:100] or "no fields")
    response = {name: value[name] for name in _EVIDENCE if value.get(name) is not None}
    return Asked(files=(_json(response),), remarks=remarks)


def _json(value: dict[str, Any]) -> bytes:
    return strictjson.dumps(value).encode()


def _decoded(text: str, number: int) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(
            f"file {number} is not base64", code="request_malformed", got=ascii(text[:40])
        ) from None
    if not data:
        raise Malformed(f"file {number} is empty", code="request_malformed")
    if len(data) > MAX_BODY:
        raise TooLarge(f"file {number} is too large", expected=f"at most {MAX_BODY} bytes")
    return data


def _not_dstack(got: str) -> Malformed:
    return Malformed(
        "this is not a request that dstack-verifier knows",
        code="request_malformed",
        expected='{"quote": "<hex>", "event_log": …, "vm_config": …} or {"attestation": "<hex>"}',
        got=got,
    )

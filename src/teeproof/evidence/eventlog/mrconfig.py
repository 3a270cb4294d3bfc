"""MRCONFIGID: what the host fixed about the application before the machine started.

    zero       not used
    version 1  0x01, compose hash, 15 zero bytes
    version 2  0x02, Keccak-256(compose hash, app id, kind of key provider, its id), 15 zero bytes
    version 3  0x03, SHA-256("dstack-mr-config-v3:", 0x00, document), 15 zero bytes

The quote covers it, so it binds the application even without an event log.
Source: dstack-types, ``mr_config.rs``.

Trusts: the quote that holds the MRCONFIGID.  Does not trust: the host that hands over the document.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from teeproof.core import strictjson
from teeproof.core.digests import keccak256, sha256
from teeproof.core.errors import Error, Malformed, NotAuthentic
from teeproof.evidence.eventlog.compose import compose_hash
from teeproof.evidence.eventlog.facts import AppFacts
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = [
    "MrConfig",
    "check_mrconfigid",
    "mrconfigid_v1",
    "mrconfigid_v2",
    "mrconfigid_v3",
    "parse_mr_config",
]

MAX_DOCUMENT_BYTES = 64 << 10
MRCONFIGID_BYTES = 48
_NAME = "mrconfigid"
_KINDS = {"none": 0, "local-sgx": 1, "kms": 2, "tpm": 3}  # dstack-types, key_provider_kind_byte
_EVENT_NAMES = {"none": "none", "local": "local-sgx", "kms": "kms", "tpm": "tpm"}


class MrConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A MrConfigV3 document. A field that is None is not pinned.

    Attributes:
        compose_hash: 32 bytes.
        key_provider: ``kms``, ``local-sgx``, ``tpm`` or ``none``, as events name it.
        app_id: 20 bytes.
        key_provider_id: as in ``KeyProvider``.
        instance_id: 20 bytes.
        gpu_policy_hash: 32 bytes.
        init_script_hashes: 32 bytes each, in the order in which they run.
    """

    compose_hash: bytes
    key_provider: str
    app_id: bytes | None = None
    key_provider_id: bytes | None = None
    instance_id: bytes | None = None
    gpu_policy_hash: bytes | None = None
    init_script_hashes: tuple[bytes, ...] | None = None


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    compose_hash: str
    key_provider: Literal["none", "kms", "local", "tpm"]
    version: Literal[3] = 3
    app_id: str | None = None
    gpu_policy_hash: str | None = None
    key_provider_id: str | None = None
    instance_id: str | None = None
    init_script_hashes: list[str] | None = None


def mrconfigid_v1(digest: bytes) -> bytes:
    """Return the 48 bytes that fix a compose hash."""
    return b"\x01" + digest + bytes(15)


def mrconfigid_v2(facts: AppFacts) -> bytes:
    """Return the 48 bytes that fix compose hash, app id and key provider.

    Raises:
        NotAuthentic: the facts name no key provider, or one that version 2 cannot express.
    """
    provider = facts.key_provider
    if provider is None or provider.name not in _KINDS:
        raise NotAuthentic(
            "MRCONFIGID is of version 2, and the event log names no key provider that fits it",
            code="mrconfigid_mismatch",
            expected="kms, local-sgx, tpm or none",
            got=provider.name if provider else None,
        )
    kind = bytes([_KINDS[provider.name]])
    digest = keccak256(facts.compose_hash, facts.app_id, kind, provider.id)
    return b"\x02" + digest + bytes(15)


def mrconfigid_v3(document: bytes) -> bytes:
    """Return the 48 bytes that fix a MrConfigV3 document, byte for byte."""
    return b"\x03" + sha256(b"dstack-mr-config-v3:\x00", document) + bytes(15)


def parse_mr_config(document: bytes) -> MrConfig:
    """Return what a MrConfigV3 document pins.

    Raises:
        TooLarge: more than 64 KiB.
        Malformed: not such a document, an unknown field, or a digest of another length.
    """
    value = strictjson.loads(document, limit=MAX_DOCUMENT_BYTES, what="MrConfigV3 document")
    try:
        raw = msgspec.convert(value, _Document, strict=True)
    except msgspec.ValidationError as error:
        raise _malformed(str(error)) from None
    scripts = raw.init_script_hashes
    return MrConfig(
        compose_hash=_hex("compose_hash", raw.compose_hash, 32),
        key_provider=_EVENT_NAMES[raw.key_provider],
        app_id=_optional("app_id", raw.app_id, 20),
        key_provider_id=_optional("key_provider_id", raw.key_provider_id, None),
        instance_id=_optional("instance_id", raw.instance_id, 20),
        gpu_policy_hash=_optional("gpu_policy_hash", raw.gpu_policy_hash, 32),
        init_script_hashes=(
            None
            if scripts is None
            else tuple(_hex("init_script_hashes", script, 32) for script in scripts)
        ),
    )


def check_mrconfigid(
    mrconfigid: bytes,
    *,
    facts: AppFacts | None,
    compose: bytes | None = None,
    document: bytes | None = None,
) -> Check:
    """Return the check ``mrconfigid``: does the host's configuration agree with what was measured?

    Args:
        mrconfigid: 48 bytes of a verified quote.
        facts: what the event log established, or None.
        compose: the bytes of app-compose.json; used where there are no facts.
        document: the bytes of the MrConfigV3 document; version 3 needs it.
    """
    version = mrconfigid[0]
    if document is not None and version != 3:
        return _mismatch("a document is given, and MRCONFIGID fixes none", mrconfigid, None)
    if version not in (1, 2, 3):
        return _not_ours(mrconfigid)
    try:
        if version == 1:
            return _check_v1(mrconfigid, facts, compose)
        if version == 2:
            return _check_v2(mrconfigid, facts)
        return _check_v3(mrconfigid, facts, compose, document)
    except Error as error:
        return failed(_NAME, error.code, error.detail, expected=error.expected, got=error.got)


def _not_ours(mrconfigid: bytes) -> Check:
    if any(mrconfigid):
        return not_checked(_NAME, "MRCONFIGID is set, and not by dstack", got=mrconfigid.hex())
    return not_checked(_NAME, "MRCONFIGID is zero: the host fixed no configuration")


def _check_v1(mrconfigid: bytes, facts: AppFacts | None, compose: bytes | None) -> Check:
    if facts is not None:
        return _compare(mrconfigid, mrconfigid_v1(facts.compose_hash), 1)
    if compose is not None:
        return _compare(mrconfigid, mrconfigid_v1(compose_hash(compose)), 1)
    return not_checked(_NAME, "MRCONFIGID holds a compose hash, and nothing was given to compare")


def _check_v2(mrconfigid: bytes, facts: AppFacts | None) -> Check:
    if facts is None:
        return not_checked(_NAME, "MRCONFIGID is of version 2, which only an event log explains")
    return _compare(mrconfigid, mrconfigid_v2(facts), 2)


def _compare(got: bytes, expected: bytes, version: int) -> Check:
    if got == expected:
        return passed(_NAME, f"MRCONFIGID (version {version}) is that of the measured application")
    return _mismatch(
        f"MRCONFIGID (version {version}) is that of another application than the measured one",
        got,
        expected,
    )


def _mismatch(detail: str, got: bytes, expected: bytes | None) -> Check:
    return failed(
        _NAME,
        "mrconfigid_mismatch",
        detail,
        expected=expected.hex() if expected else None,
        got=got.hex(),
    )


def _check_v3(
    mrconfigid: bytes, facts: AppFacts | None, compose: bytes | None, document: bytes | None
) -> Check:
    if document is None:
        return not_checked(_NAME, "MRCONFIGID is of version 3, and its document was not given")
    expected = mrconfigid_v3(document)
    if mrconfigid != expected:
        return _mismatch("the document is not the one that MRCONFIGID fixes", mrconfigid, expected)
    config = parse_mr_config(document)
    if facts is None:
        if compose is not None and compose_hash(compose) != config.compose_hash:
            raise _field("compose_hash", config.compose_hash.hex(), compose_hash(compose).hex())
        return passed(_NAME, "the document is the one that MRCONFIGID (version 3) fixes")
    _check_pins(config, facts)
    return passed(_NAME, "MRCONFIGID (version 3) is that of the measured application")


def _check_pins(config: MrConfig, facts: AppFacts) -> None:
    provider = facts.key_provider
    name = None if provider is None else provider.name
    if name != config.key_provider:
        raise _field("key_provider", config.key_provider, name)
    provider_id = None if provider is None else provider.id
    pins = {
        "compose_hash": (config.compose_hash, facts.compose_hash),
        "app_id": (config.app_id, facts.app_id),
        "instance_id": (config.instance_id, facts.instance_id),
        "gpu_policy_hash": (config.gpu_policy_hash, facts.gpu_policy_hash),
        "key_provider_id": (config.key_provider_id, provider_id),
    }
    for field, (pinned, measured) in pins.items():
        if pinned is not None and pinned != measured:
            raise _field(field, pinned.hex(), None if measured is None else measured.hex())
    scripts = config.init_script_hashes
    if scripts is not None and scripts != facts.init_script_hashes:
        measured_scripts = facts.init_script_hashes
        raise _field("init_script_hashes", _list(scripts), _list(measured_scripts))


def _list(values: tuple[bytes, ...]) -> str:
    return ", ".join(value.hex() for value in values) or "none"


def _field(name: str, pinned: str, measured: str | None) -> NotAuthentic:
    return NotAuthentic(
        f"the MrConfigV3 document pins another {name} than the event log shows",
        code="mrconfig_field_mismatch",
        expected=f"{name} {pinned}",
        got=f"{name} {'not measured' if measured is None else measured}",
    )


def _optional(name: str, text: str | None, length: int | None) -> bytes | None:
    return None if text is None else _hex(name, text, length)


def _hex(name: str, text: str, length: int | None) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        raise _malformed(f"{name} is not hex") from None
    if value.hex() != text or (length is not None and len(value) != length):
        raise _malformed(f"{name} is not {length} bytes of lower-case hex")
    return value


def _malformed(got: str) -> Malformed:
    return Malformed(
        f"this is not a MrConfigV3 document: {got}", code="mrconfig_malformed", got=got
    )

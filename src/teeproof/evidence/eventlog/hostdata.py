"""What an SEV-SNP report's HOST_DATA fixes of a dstack guest: its configuration, by digest.

Such a guest has no registers, so its event log is tied to nothing and is not read. HOST_DATA is the
host's word, given before launch; it cannot change afterwards, and the guest's own code has to hold
to it. What comes out is what the report commits to, not what ran.

Source: dstack-attest, ``v1.rs``; dstack-types, ``mr_config.rs``.

Trusts: the verified report.  Does not trust: the host that chose HOST_DATA, the document.
"""

from __future__ import annotations

from typing import Any

from teeproof.core.errors import Error
from teeproof.evidence.eventlog.compose import compose_hash
from teeproof.evidence.eventlog.mrconfig import MrConfig, mrconfigid_v3, parse_mr_config
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["check_host_data"]


def check_host_data(
    host_data: bytes, *, document: bytes | None, compose: bytes | None, event_log: bytes | None
) -> tuple[list[Check], dict[str, Any] | None]:
    """Return the checks of what came along, and what the report commits to of the application.

    Args:
        host_data: 32 bytes of a verified report.
        document: the bytes of the MrConfigV3 document, if given.
        compose: the bytes of app-compose.json, if given.
        event_log: an event log, if given; it is not read.
    """
    checks = []
    if event_log is not None:
        why = "an SEV-SNP guest has no registers: nothing ties an event log to its report"
        checks.append(not_checked("event-log-replay", why))
    config, check = _document(host_data, document)
    if compose is not None:
        checks.append(_compose(compose, config))
    return [*checks, check], _described(config) if config else None


def _document(host_data: bytes, document: bytes | None) -> tuple[MrConfig | None, Check]:
    name = "host-data-config"
    if document is None:
        return None, not_checked(name, "no document that HOST_DATA may commit to was given")
    if mrconfigid_v3(document)[1:33] != host_data:
        return None, failed(
            name,
            "host_data_config_mismatch",
            "HOST_DATA commits to another configuration than this document: give the one that the"
            " machine was started with",
            expected=host_data.hex(),
            got=mrconfigid_v3(document)[1:33].hex(),
        )
    try:
        config = parse_mr_config(document)
    except Error as error:
        return None, failed(name, error.code, error.detail, expected=error.expected, got=error.got)
    return config, passed(name, "HOST_DATA commits to this MrConfigV3 document")


def _compose(compose: bytes, config: MrConfig | None) -> Check:
    if config is None:
        why = "nothing verified says which compose file the guest was started with"
        return not_checked("compose", why)
    if compose_hash(compose) != config.compose_hash:
        return failed(
            "compose",
            "compose_mismatch",
            "HOST_DATA commits to another compose file than this: give the file that the guest"
            " stored, byte for byte",
            expected=config.compose_hash.hex(),
            got=compose_hash(compose).hex(),
        )
    return passed("compose", "HOST_DATA commits to this very file")


def _described(config: MrConfig) -> dict[str, Any]:
    return {
        "compose_hash": config.compose_hash.hex(),
        "app_id": config.app_id.hex() if config.app_id else None,
        "instance_id": config.instance_id.hex() if config.instance_id else None,
        "key_provider": config.key_provider,
        "told_by": "host",
    }

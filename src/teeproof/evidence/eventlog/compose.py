"""The application's compose file: is it the one that was measured, and what does it say?

dstack hashes the stored bytes of app-compose.json. The same JSON in other bytes is another file: a
verifier that normalised it would accept what no machine measured.

Source: dstack-types, ``AppCompose``; sdk/python, ``get_compose_hash.py``.

Trusts: SHA-256.  Does not trust: the host that hands over the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import msgspec

from teeproof.core import strictjson
from teeproof.core.digests import sha256
from teeproof.core.errors import Error, Malformed
from teeproof.evidence.eventlog.facts import AppFacts
from teeproof.evidence.record import MAX_COMPOSE_BYTES
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["AppCompose", "app_id_of", "check_compose", "compose_hash", "parse_compose"]

_KNOWN = frozenset(
    {
        "allowed_envs",
        "bash_script",
        "docker_compose_file",
        "docker_config",
        "event_log_version",
        "features",
        "gateway_enabled",
        "init_script",
        "key_provider",
        "key_provider_id",
        "kms_enabled",
        "launch_token_hash",
        "local_key_provider_enabled",
        "manifest_version",
        "name",
        "no_instance_id",
        "port_policy",
        "pre_launch_script",
        "public_logs",
        "public_sysinfo",
        "public_tcbinfo",
        "requirements",
        "runner",
        "secure_time",
        "snapshotter",
        "storage_fs",
        "swap_size",
        "tproxy_enabled",
        "verity_volumes",
    }
)
_MAX_COMPARED_BYTES = 64 << 10  # a dstack compose file has some 3 KiB
_MAX_COMPARED_DEPTH = 8  # its schema nests twice
_LAYOUTS: tuple[dict[str, Any], ...] = (
    {"separators": (",", ":")},
    {"separators": (", ", ": ")},
    {"indent": 2},
    {"indent": 4},
)
_SCRIPTS = ("bash_script", "init_script", "pre_launch_script")


class AppCompose(msgspec.Struct, frozen=True, kw_only=True):
    """What app-compose.json says, as far as a verifier acts on it.

    Attributes:
        hash: 32 bytes, SHA-256 of the file.
        name: the application's name.
        runner: ``docker-compose``, ``nerdctl-compose`` or ``bash``.
        docker_compose_file: YAML text, or None.
        scripts: names of the fields that hold shell scripts; they run whatever they like.
        allowed_envs: variables whose values nobody measures.
        unknown: fields that this verifier does not know; a newer guest may act on them.
    """

    hash: bytes
    name: str
    runner: str
    docker_compose_file: str | None
    scripts: tuple[str, ...]
    allowed_envs: tuple[str, ...]
    unknown: tuple[str, ...]


class _Fields(msgspec.Struct, frozen=True):
    runner: str
    name: str = ""
    docker_compose_file: str | None = None
    allowed_envs: list[str] = []


def compose_hash(compose: bytes) -> bytes:
    """Return the compose hash, 32 bytes: SHA-256 of the file as it is."""
    return sha256(compose)


def app_id_of(digest: bytes) -> bytes:
    """Return the 20 bytes of an app id that follows from the compose hash.

    An application that a contract manages has the contract's address instead.
    """
    return digest[:20]


def parse_compose(compose: bytes) -> AppCompose:
    """Return what an app-compose.json says.

    Raises:
        TooLarge: more than 1 MiB.
        Malformed: not a JSON object, a key twice, or a field of another type.
    """
    value = strictjson.loads(compose, limit=MAX_COMPOSE_BYTES, what="compose file")
    try:
        fields = msgspec.convert(value, _Fields, strict=True)
    except msgspec.ValidationError as error:
        raise Malformed(
            f"this is not an app-compose.json: {error}", code="compose_malformed", got=str(error)
        ) from None
    return AppCompose(
        hash=compose_hash(compose),
        name=fields.name,
        runner=fields.runner,
        docker_compose_file=fields.docker_compose_file,
        scripts=tuple(name for name in _SCRIPTS if value.get(name)),
        allowed_envs=tuple(fields.allowed_envs),
        unknown=tuple(sorted(set(value) - _KNOWN)),
    )


def check_compose(
    compose: bytes | None, *, facts: AppFacts | None, mrconfigid: bytes = bytes(48)
) -> Check:
    """Return the check ``compose``: the file's digest is the one that the guest measured.

    Without an event log, an MRCONFIGID of version 1 can stand for it: it holds the compose hash.
    """
    if compose is None:
        return not_checked("compose", "no compose file was given")
    measured, where = _measured(facts, mrconfigid)
    if measured is None:
        return not_checked("compose", "nothing verified says which compose file was measured")
    try:
        app = parse_compose(compose)
    except Error as error:
        return failed("compose", error.code, error.detail, expected=error.expected, got=error.got)
    if app.hash == measured:
        return passed("compose", f"the compose file is the one in {where}", got=app.hash.hex())
    return failed(
        "compose",
        *_difference(compose, measured),
        expected=measured.hex(),
        got=app.hash.hex(),
    )


def _measured(facts: AppFacts | None, mrconfigid: bytes) -> tuple[bytes | None, str]:
    if facts is not None:
        return facts.compose_hash, "the event log"
    if mrconfigid[0] == 1 and not any(mrconfigid[33:]):
        return mrconfigid[1:33], "MRCONFIGID"
    return None, ""


def _difference(compose: bytes, measured: bytes) -> tuple[str, str]:
    value = strictjson.loads(compose, limit=MAX_COMPOSE_BYTES, what="compose file")
    # Only a hint for people: files that are dear to write again in every form get none.
    cheap = len(compose) <= _MAX_COMPARED_BYTES and _is_flat(value)
    if cheap and any(sha256(form) == measured for form in _other_forms(value)):
        return (
            "compose_reformatted",
            "same JSON, other bytes: the file was reformatted after it was measured. Give the"
            " bytes that the guest stored",
        )
    return (
        "compose_mismatch",
        "the compose file's bytes are not those that were measured: another file, or one that was"
        " edited or reformatted since",
    )


def _is_flat(value: Any) -> bool:
    """Whether containers stand at most ``_MAX_COMPARED_DEPTH`` deep in each other."""
    level = [value]
    for _ in range(_MAX_COMPARED_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
    return not level


def _other_forms(value: Any) -> Iterator[bytes]:
    """Yield the file as common tools write it, one form at a time."""
    for layout, ascii_only, sort in product(_LAYOUTS, (False, True), (False, True)):
        form = json.dumps(value, ensure_ascii=ascii_only, sort_keys=sort, **layout).encode()
        yield form
        yield form + b"\n"

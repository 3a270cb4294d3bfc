"""What a machine's application is, read from the compose file that it measured.

The file's SHA-256 is the compose hash: the words by which whoever has the source compares. What is
read here is what was to be started; whether a machine measured this very file, checks say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from teeproof.cloud.manifest import Manifest
from teeproof.core.errors import Error
from teeproof.core.text import cut, plain
from teeproof.evidence.eventlog.compose import AppCompose, compose_hash, parse_compose
from teeproof.evidence.eventlog.images import Image, images

__all__ = ["Code", "code_of"]

_MOST_IMAGES = 32
_MOST_SETTINGS = 64
_LONGEST = 300  # characters of one setting's value


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """An application.

    Attributes:
        hash: the compose hash, hex.
        name: as its file calls it.
        images: what each service runs, and whether that is named by digest.
        command: of a workload of teeproof, the module and its measured arguments.
        settings: of the same, its measured settings by name, each cut short.
        remarks: what else may run, or differ from machine to machine; a sentence each.
    """

    hash: str
    name: str
    images: tuple[Image, ...] = ()
    command: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {
            "compose_hash": self.hash, "name": self.name, "command": self.command,
            "images": [{"service": one.service, "image": one.reference, "by_digest": one.pinned}
                       for one in self.images],
            "settings": dict(self.settings), "remarks": list(self.remarks),
        }  # fmt: skip


def code_of(compose: bytes) -> Code:
    """Return what an app-compose.json starts; one that cannot be read says why in its remarks."""
    digest = compose_hash(compose).hex()
    try:
        app = parse_compose(compose)
    except Error as error:
        return Code(hash=digest, name="", remarks=(f"The file cannot be read: {error.detail}.",))
    remarks = list(_remarks(app))
    found: tuple[Image, ...] = ()
    try:
        found = images(app.docker_compose_file) if app.docker_compose_file else ()
    except Error as error:
        remarks.insert(0, f"Its services cannot be read: {error.detail}.")
    if len(found) > _MOST_IMAGES:
        remarks.append(f"And {len(found) - _MOST_IMAGES} services more.")
    command, settings = _workload(compose)
    return Code(
        hash=digest, name=app.name, images=found[:_MOST_IMAGES], command=command,
        settings=settings, remarks=tuple(remarks),
    )  # fmt: skip


def _workload(compose: bytes) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    """Return command and settings, if it is one of teeproof's own workloads."""
    with suppress(Error):
        manifest = Manifest.parse(compose)
        words = " ".join((manifest.module, *manifest.arguments))
        every = sorted(manifest.environment.items())[:_MOST_SETTINGS]
        settings = tuple((name, _lines(value)) for name, value in every)
        return cut(words, _LONGEST), settings
    return None, ()


def _lines(value: str) -> str:
    """Return a setting cut short, each of its lines harmless."""
    kept = value[:_LONGEST]
    lines = "\n".join(plain(line) for line in kept.split("\n"))
    return lines if kept == value else f"{lines}…"


def _remarks(app: AppCompose) -> Iterator[str]:
    if app.scripts:
        yield f"Scripts run beside the services, and may start anything: {_list(app.scripts)}."
    if app.allowed_envs:
        yield f"Whoever deploys it sets these variables, unmeasured: {_list(app.allowed_envs)}."
    if app.unknown:
        yield f"It has fields that this version does not know: {_list(app.unknown)}."


def _list(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return cut(", ".join(names[:8]), 200) + more

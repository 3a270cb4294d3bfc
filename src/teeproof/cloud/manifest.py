"""What shall run: a dstack app-compose.json, whose digest the evidence carries.

It has one service. Its image names the code by digest, its command the module and the arguments,
its environment the settings; all of that is measured. Addresses, tokens and files are not: they
are what a host may choose, and nothing is to depend on them.

The compose file inside is JSON, which is YAML too, so a workload can read what was measured of it
without a YAML parser. There is one file for one manifest: what is written otherwise is none.

Source: dstack-types, ``AppCompose``; the Compose Specification for ``$``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from teeproof.core import strictjson
from teeproof.core.digests import parse_named, sha256
from teeproof.core.errors import Error, Malformed

__all__ = ["MAX_MANIFEST_BYTES", "Manifest"]

MAX_MANIFEST_BYTES = 512 << 10  # half of what a verifier reads of a compose file
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_MAX_ARGUMENTS = 256
_IMAGE: Final = "teeproof.invalid/code@"  # RFC 2606: nobody serves it; the launcher has it
_ENTRY: Final = ["python", "-m", "teeproof.cloud"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What shall run.

    Attributes:
        name: of the workload: lower-case letters, digits and hyphens, at most 40.
        module: whose ``main(inside)`` is called.
        arguments: its arguments, as text.
        environment: its settings, by name in capitals.
        code: ``sha256:…`` of the code tree (``Image.digest``).
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    code: str = "sha256:" + "0" * 64

    def __post_init__(self) -> None:
        """Refuse what has no form; Malformed, code ``manifest_malformed``."""
        object.__setattr__(self, "arguments", tuple(self.arguments))
        object.__setattr__(self, "environment", dict(self.environment))
        _require("a name", _NAME, self.name)
        _require("a module", _MODULE, self.module)
        for variable in self.environment:
            _require("a variable", _VARIABLE, variable)
        if len(self.arguments) > _MAX_ARGUMENTS:
            raise _malformed(f"at most {_MAX_ARGUMENTS} arguments", str(len(self.arguments)))
        for text in (*self.arguments, *self.environment.values()):
            if not isinstance(text, str) or "\0" in text:
                raise _malformed("text without NUL", ascii(text)[:60])
        parse_named(self.code)

    def compose(self) -> bytes:
        """Return the bytes of app-compose.json.

        Raises:
            Malformed: more than ``MAX_MANIFEST_BYTES``: put large things into files.
        """
        data = json.dumps(_document(self), indent=2, ensure_ascii=True).encode()
        if len(data) > MAX_MANIFEST_BYTES:
            raise _malformed(f"at most {MAX_MANIFEST_BYTES} bytes", f"{len(data)} bytes")
        return data

    @property
    def compose_hash(self) -> str:
        """SHA-256 of the compose file, 64 hex digits: what policies list."""
        return sha256(self.compose()).hex()

    @classmethod
    def parse(cls, compose: bytes) -> Manifest:
        """Return the manifest that an app-compose.json was written from.

        Raises:
            TooLarge: beyond ``MAX_MANIFEST_BYTES``.
            Malformed: it is another application's, or not written as ``compose`` writes it.
        """
        value = strictjson.loads(compose, limit=MAX_MANIFEST_BYTES, what="compose file")
        try:
            text = value["docker_compose_file"]
            inner = strictjson.loads(text, limit=MAX_MANIFEST_BYTES, what="compose file")
            service = inner["services"][value["name"]]
            module, *arguments = map(_unescaped, service["command"])
            manifest = cls(
                name=value["name"],
                module=module,
                arguments=tuple(arguments),
                environment={k: _unescaped(v) for k, v in service["environment"].items()},
                code=service["image"].removeprefix(_IMAGE),
            )
        except (KeyError, TypeError, AttributeError, ValueError, Error) as error:
            raise _malformed("what Manifest.compose writes", repr(error)) from None
        if manifest.compose() != compose:
            raise _malformed("what Manifest.compose writes, to the byte", "another spelling")
        return manifest


def _document(manifest: Manifest) -> dict[str, Any]:
    service = {
        "image": f"{_IMAGE}{manifest.code}",
        "entrypoint": _ENTRY,
        "command": [_escaped(text) for text in (manifest.module, *manifest.arguments)],
        "environment": {k: _escaped(v) for k, v in sorted(manifest.environment.items())},
        "network_mode": "none",
        "volumes": ["/var/run/dstack.sock:/var/run/dstack.sock"],
    }
    return {
        "manifest_version": 2,
        "name": manifest.name,
        "runner": "docker-compose",
        "docker_compose_file": json.dumps({"services": {manifest.name: service}}),
        "kms_enabled": True,
        "gateway_enabled": False,
        "local_key_provider_enabled": False,
        "key_provider": "kms",
        "public_logs": False,
        "public_sysinfo": False,
        "allowed_envs": [],
        "no_instance_id": False,
        "secure_time": True,
    }


def _escaped(text: str) -> str:
    return text.replace("$", "$$")  # compose would put variables of the host in its place


def _unescaped(text: str) -> str:
    if text.replace("$$", "").count("$"):
        raise ValueError("a variable that the host would fill in")
    return text.replace("$$", "$")


def _require(what: str, pattern: re.Pattern[str], text: object) -> None:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise _malformed(f"{what} as {pattern.pattern}", ascii(text)[:100])


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this manifest cannot run", code="manifest_malformed", expected=expected, got=got[:300]
    )

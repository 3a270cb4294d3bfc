"""What our other files claim, for ``teeproof show``: sealed ones, keys, log policies, logs.

Of a secret key nothing is shown but that it is one, and its public half.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from teeproof.core.digests import named
from teeproof.core.reading import peek

__all__ = ["LABELS", "claims_of_file", "claims_of_log", "is_log"]

LABELS: Mapping[str, str] = {
    "sealed": "sealed file",
    "public-key": "public key",
    "secret-key": "SECRET KEY",
    "verdict-key": "verdict key",
    "log-policy": "log policy",
    "checkpoint": "checkpoint of a log",
    "log": "log",
}
_MOST = 1 << 20


def is_log(directory: Path) -> bool:
    """Whether a path is a log's directory."""
    return (directory / "log.json").is_file()


def claims_of_file(path: Path) -> dict[str, Any] | None:
    """Return what one of these files claims, with ``kind`` and ``name``; None if it is none.

    Raises:
        Malformed, TooLarge: it is one of these, and is broken.
    """
    from teeproof.evidence.files.others import told_by_bytes  # noqa: PLC0415

    data = peek(path, _MOST)
    other = told_by_bytes(data)
    if other is None or other.kind not in _CLAIMS:
        return None
    return {"kind": other.kind, "name": path.name} | _CLAIMS[other.kind](path, data)


def claims_of_log(directory: Path) -> dict[str, Any]:
    """Return what a log's directory says of itself.

    Raises:
        Malformed, NotAuthentic, Unavailable: it cannot be opened.
    """
    from teeproof.proof.log.storage.log import Log  # noqa: PLC0415  only for logs

    with Log.open(directory, read_only=True) as log:
        return {
            "kind": "log",
            "name": directory.name or str(directory.absolute()),
            "origin": log.origin,
            "entries": log.size,
            "published": log.published_size,
            "key": log.verifier.text(),
            "for_policies": f"log {log.verifier.text()}",
        }


def _sealed(path: Path, data: bytes) -> dict[str, Any]:
    from teeproof.core.sealed import read_header  # noqa: PLC0415  needs cryptography

    with path.open("rb") as file:
        header = read_header(file)
        body = path.stat().st_size - file.tell()
    return header.to_json() | {"bytes_behind_the_header": body}


def _public(_: Path, data: bytes) -> dict[str, Any]:
    from teeproof.core.sealed import Recipient  # noqa: PLC0415

    return _key(Recipient.parse(_line(data)))


def _secret(_: Path, data: bytes) -> dict[str, Any]:
    from teeproof.core.sealed import PrivateRecipient  # noqa: PLC0415

    advice = "keep it, and show it to nobody: it opens whatever is sealed for its public half"
    return _key(PrivateRecipient.parse(_line(data)).public) | {"remark": advice}


def _verdict_key(_: Path, data: bytes) -> dict[str, Any]:
    from teeproof.proof.results import keyfile  # noqa: PLC0415

    text = _line(data)
    if not text.startswith(keyfile.SECRET):
        return {"secret": False, "public": keyfile.PUBLIC + keyfile.parse_public(text).hex()}
    public = keyfile.parse_secret(text).text
    advice = "keep it, and show it to nobody: who has it speaks as this verifier"
    return {"secret": True, "public": public, "remark": advice}


def _key(public: Any) -> dict[str, Any]:
    return {
        "suite": public.suite.name,
        "recipient": public.digest.hex(),
        "public": public.text,
    }


def _line(data: bytes) -> str:
    return data.decode("ascii", "replace").removesuffix("\n").removesuffix("\r")


def _log_policy(_: Path, data: bytes) -> dict[str, Any]:
    from teeproof.proof.log.formats.policy import TlogPolicy  # noqa: PLC0415

    policy = TlogPolicy.parse(data)
    return {
        "digest": policy.digest,
        "quorum": policy.quorum or "none: no witness need have cosigned",
        "logs": [_named(origin, log) for origin, log in policy.logs.items()],
        "witnesses": [_named(name, witness) for name, witness in policy.witnesses.items()],
        "groups": [
            {"name": name, "needs": f"{group.threshold} of {', '.join(group.members)}"}
            for name, group in policy.groups.items()
        ],
    }


def _named(name: str, entry: Any) -> dict[str, Any]:
    found = {"name": name, "key": entry.key.text()}
    return found | ({"url": entry.url} if entry.url else {})


def _checkpoint(_: Path, data: bytes) -> dict[str, Any]:
    from teeproof.proof.log.formats.checkpoint import SignedCheckpoint  # noqa: PLC0415

    signed = SignedCheckpoint.parse(data)
    return {
        "log": signed.checkpoint.origin,
        "size": signed.checkpoint.size,
        "root": named(signed.checkpoint.root),
        "signed_by": [line.name for line in signed.note.signatures],
    }


_CLAIMS: Mapping[str, Callable[[Path, bytes], dict[str, Any]]] = {
    "sealed": _sealed,
    "public-key": _public,
    "secret-key": _secret,
    "verdict-key": _verdict_key,
    "log-policy": _log_policy,
    "checkpoint": _checkpoint,
}

"""The checker that runs in a browser, as one script, and a page that carries a proof with it.

The modules in ``browser`` become one script without imports, always the same bytes for one version
of teeproof: its digest can be published, and compared with the one in a page's policy
(``script-src 'sha256-…'``), by which a browser refuses to run any other.

Trusts: whoever saved the page, for its script; its digest says which one that is.
Does not trust: the proof in it.
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from html import escape
from importlib import resources
from shlex import quote
from typing import TypedDict

from teeproof.core.digests import sha256
from teeproof.core.text import plain
from teeproof.explorer.joining import joined

__all__ = [
    "MODULES",
    "VENDORED",
    "Believed",
    "page",
    "script",
    "script_digest",
    "source_digest",
    "stylesheet",
]

VENDORED = (
    "vendor/noble-hashes/utils", "vendor/noble-hashes/_u64", "vendor/noble-hashes/_md",
    "vendor/noble-hashes/sha2", "vendor/noble-hashes/sha3", "vendor/noble-hashes/hmac",
    "vendor/noble-curves/utils", "vendor/noble-curves/abstract/modular",
    "vendor/noble-curves/abstract/curve", "vendor/noble-curves/abstract/der",
    "vendor/noble-curves/abstract/weierstrass", "vendor/noble-curves/abstract/edwards",
    "vendor/noble-curves/abstract/fft", "vendor/noble-post-quantum/utils",
    "vendor/noble-post-quantum/_crystals", "vendor/noble-post-quantum/ml-dsa",
)  # fmt: skip
"""Others' modules, unchanged; ``browser/vendor/VENDORED.md`` says from where."""

MODULES = (
    *VENDORED, "bytes", "json", "anyjson", "zip", "names", "curves", "der", "x509", "roots", "cbor",
    "tdx", "snp", "nitro", "eventlog", "mrconfig", "dstack", "keys", "predicates", "forms",
    "statements", "identity", "graph", "merkle", "rlp", "anchor", "notes", "logs", "proof",
    "element",
)  # fmt: skip
"""The checker's modules, each behind those that it imports from."""

_FILES = resources.files("teeproof.explorer.browser")
_LONGEST_NAME = 255  # characters of a file's name, or of a title
_PLACE = re.compile(r"\[\[(\w+)\]\]")


class Believed(TypedDict):
    """Whom a check in a browser believes.

    Attributes:
        roots: simulators' roots (``sha256:…``) that are accepted as such.
        logs: the text of a log policy; empty if no log is.
    """

    roots: tuple[str, ...]
    logs: str


@lru_cache(maxsize=1)
def script() -> str:
    """Return the checker as one script; each module is a scope of its own."""
    return joined(MODULES, _text)


def script_digest() -> str:
    """Return ``sha256-…`` of the script, as a content security policy writes it."""
    return source_digest(script())


def source_digest(text: str) -> str:
    """Return ``sha256-…`` of a script's or style's text, as a content security policy writes it."""
    return "sha256-" + base64.b64encode(sha256(text.encode())).decode()


@lru_cache(maxsize=1)
def stylesheet() -> str:
    """Return the style of a page that stands alone."""
    return (_FILES / "checker.css").read_text("utf-8")


def page(
    proof: bytes, *, name: str, title: str, roots: tuple[str, ...] = (), logs: str = ""
) -> str:
    """Return a page that checks the proof in it, from a file and with the network off.

    Args:
        proof: the proof file.
        name: what to call it where it is saved; a stranger may have chosen it, and the title.
        title: what it is about, in a few words.
        roots: simulators' roots (``sha256:…``) that whoever makes the page accepts.
        logs: the text of the log policy that whoever makes the page trusts.
    """
    style, code = stylesheet(), script()
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none';"
        f" style-src '{source_digest(style)}'; script-src '{source_digest(code)}'"
    )
    text = (_FILES / "page.html").read_text("utf-8")
    name = plain(name[:_LONGEST_NAME])
    values = {
        "policy": policy, "title": plain(title[:_LONGEST_NAME]), "digest": source_digest(code),
        "sha256": sha256(proof).hex(), "name": name, "roots": " ".join(roots), "logs": logs,
        "root_words": ", ".join(roots) or "none: only Intel's own root counts",
        "log_words": "\n".join(map(plain, logs.strip().split("\n")))
        or "none: nothing says when any of it was said",
        "command": f"teeproof verify {quote(f'./{name}' if name.startswith('-') else name)}",
    }  # fmt: skip
    safe = {key: escape(value) for key, value in values.items()}
    whole = {"style": style, "proof": base64.b64encode(proof).decode(), "script": code}
    return _PLACE.sub(lambda found: (safe | whole)[found[1]], text)


def _text(name: str) -> str:
    return (_FILES / f"{name}.js").read_text("utf-8")

"""Read YAML as a plain tree of text, so strictly that two readers cannot differ.

Anchors, aliases, tags, merge keys, repeated keys, several documents, deep nesting and more than
256 KiB are refused; every scalar stays text, so no reader's idea of "yes" or "1e3" matters.

Trusts: libyaml's scanner.  Does not trust: whoever wrote the file.
"""

from __future__ import annotations

from typing import Any

from teeproof.core.errors import Malformed, TooLarge

__all__ = ["MAX_DEPTH", "MAX_YAML_BYTES", "parse_yaml"]

MAX_YAML_BYTES = 256 << 10
MAX_DEPTH = 32


def parse_yaml(text: str) -> Any:
    """Return dicts, lists and text.

    Raises:
        TooLarge: more than ``MAX_YAML_BYTES`` in UTF-8.
        Malformed: not YAML, or a construct that this reader refuses.
    """
    import yaml  # noqa: PLC0415  the import costs 30 ms and few commands need it

    if len(text) > MAX_YAML_BYTES or len(text.encode("utf-8", "replace")) > MAX_YAML_BYTES:
        raise TooLarge(
            "the docker compose file is too large",
            code="yaml_too_large",
            expected=f"at most {MAX_YAML_BYTES} bytes",
            got=f"{len(text)} characters",
        )
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        return _Tree().build(yaml.parse(text, Loader=loader))
    except (yaml.YAMLError, UnicodeError) as error:
        raise _malformed("it is not YAML", str(error)[:200]) from None


class _Tree:
    """Builds the tree from the parser's events, without recursion."""

    def __init__(self) -> None:
        self.root: list[Any] = []
        self.open: list[dict[str, Any] | list[Any]] = []
        self.keys: list[str | None] = []

    def build(self, events: Any) -> Any:
        for event in events:
            kind = type(event).__name__
            if kind == "AliasEvent" or getattr(event, "anchor", None):
                raise _malformed("it has anchors or aliases", event.anchor)
            if getattr(event, "tag", None):
                raise _malformed("it has tags", event.tag)
            if kind == "ScalarEvent":
                self._scalar(event.value)
            elif kind in ("MappingStartEvent", "SequenceStartEvent"):
                self._enter({} if kind == "MappingStartEvent" else [])
            elif kind in ("MappingEndEvent", "SequenceEndEvent"):
                self.open.pop()
                self.keys.pop()
        if len(self.root) != 1:
            raise _malformed("it does not hold exactly one document", str(len(self.root)))
        return self.root[0]

    def _scalar(self, value: str) -> None:
        if not self.open or isinstance(self.open[-1], list) or self.keys[-1] is not None:
            self._add(value)
            return
        if value in self.open[-1]:
            raise _malformed("one key is given twice", value[:100])
        if value == "<<":
            raise _malformed("it merges keys", "<<")
        self.keys[-1] = value

    def _enter(self, node: dict[str, Any] | list[Any]) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise _malformed("it is nested too deeply", f"more than {MAX_DEPTH} levels")
        self._add(node)
        self.open.append(node)
        self.keys.append(None)

    def _add(self, value: Any) -> None:
        if not self.open:
            self.root.append(value)
            return
        parent = self.open[-1]
        if isinstance(parent, list):
            parent.append(value)
            return
        key = self.keys[-1]
        if key is None:
            raise _malformed("a key is not text", type(value).__name__)
        parent[key] = value
        self.keys[-1] = None


def _malformed(what: str, got: str) -> Malformed:
    return Malformed(
        f"the docker compose file cannot be read safely: {what}", code="yaml_malformed", got=got
    )

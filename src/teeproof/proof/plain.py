"""Which types the fields of a predicate may have: those that every JSON reader holds alike.

Trusts: nothing.  Does not trust: whoever declares a predicate.
"""

from __future__ import annotations

from typing import Any

import msgspec.inspect

from teeproof.core.errors import Usage
from teeproof.proof import canonical

__all__ = ["require_plain"]

_PLAIN = (
    msgspec.inspect.BoolType,
    msgspec.inspect.BytesType,
    msgspec.inspect.DictType,
    msgspec.inspect.Field,
    msgspec.inspect.ListType,
    msgspec.inspect.LiteralType,
    msgspec.inspect.NoneType,
    msgspec.inspect.StrType,
    msgspec.inspect.StructType,
    msgspec.inspect.TupleType,
    msgspec.inspect.UnionType,
    msgspec.inspect.VarTupleType,
)


def require_plain(kind: type) -> None:
    """Raise Usage (``type_not_canonical``) unless every field has a type with one reading.

    Refused are types that other readers may hold differently, and those that may hold anything.
    """
    seen: list[Any] = [msgspec.inspect.type_info(kind)]
    for node in seen:
        if not _is_plain(node):
            raise Usage(
                "predicates have text, booleans, links.Integer, lists, structs, and dicts by text",
                code="type_not_canonical",
                got=type(node).__name__,
            )
        below = [getattr(node, key, ()) for key in ("fields", "types", "item_types")]
        parts = [part for group in below for part in group]
        parts += [
            getattr(node, key, None) for key in ("type", "item_type", "key_type", "value_type")
        ]
        seen += [part for part in parts if _is_type(part) and part not in seen]


def _is_plain(node: Any) -> bool:
    if isinstance(node, msgspec.inspect.IntType):
        least, most = node.ge, node.le
        greatest = canonical.GREATEST_INTEGER
        return None not in (least, most) and -greatest <= least <= most <= greatest  # type: ignore[operator]
    if isinstance(node, msgspec.inspect.DictType):
        return isinstance(node.key_type, msgspec.inspect.StrType)
    if isinstance(node, msgspec.inspect.LiteralType):
        return all(isinstance(value, str) for value in node.values)
    return isinstance(node, _PLAIN)


def _is_type(value: Any) -> bool:
    return isinstance(value, msgspec.inspect.Type | msgspec.inspect.Field)

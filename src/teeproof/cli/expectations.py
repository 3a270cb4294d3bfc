"""Find the policy that a person named, and help with its spelling."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from teeproof.core import stricttoml
from teeproof.core.errors import Malformed, Usage
from teeproof.core.reading import read_bounded
from teeproof.evidence.nvidia.policy import GpuPolicy
from teeproof.evidence.policy import BUILT_IN, MAX_POLICY_BYTES, Policy, load_policy, parse_policy

__all__ = ["FIELDS", "TABLE", "find_policy", "policy_of", "read_policy"]

FIELDS = Policy.__struct_fields__
"""Every key that a policy may have, in reading order."""

TABLE = "gpu"
_KINDS = Policy.__annotations__ | {
    f"{TABLE}.{field}": kind for field, kind in GpuPolicy.__annotations__.items()
}

_KNOWN = f"{', '.join(BUILT_IN)}, or a TOML file"


def find_policy(name: str | None, changes: Sequence[str] = (), *, default: str) -> Policy | None:
    """Return the policy for a verification; None where the verifier's own default serves.

    Args:
        name: a built-in policy or a TOML file; None for the default.
        changes: ``FIELD=VALUE`` each, on top of it.
        default: the built-in policy that the changes start from if none is named.
    """
    if name is None and not changes:
        return None
    policy = policy_of(default if name is None else name)
    return policy.with_(**_changes(changes, policy)) if changes else policy


def policy_of(name: str) -> Policy:
    """Return a built-in policy or the one in a TOML file; Usage if there is neither."""
    if not name:
        raise Usage("the name of the policy is empty: name one, or a TOML file", expected=_KNOWN)
    if name in BUILT_IN:
        return load_policy(name)
    return read_policy(Path(name))


def read_policy(path: Path) -> Policy:
    """Return the policy in a TOML file; Usage names the nearest key of one that is misspelt."""
    if not path.exists() and path.suffix != ".toml" and path.name == str(path):
        own = ": teeproof policy simulated > simulated.toml prints one"
        near = own if str(path) == "simulated" else _nearest(str(path), BUILT_IN)
        raise Usage(
            f"there is no built-in policy and no file of this name{near}",
            code="policy_unknown",
            expected=_KNOWN,
            got=str(path),
        )
    data = read_bounded(path, limit=MAX_POLICY_BYTES, what="policy")
    try:
        written = stricttoml.loads(data, limit=MAX_POLICY_BYTES)
        table = written.get(TABLE)
        keys = [*written, *(f"{TABLE}.{key}" for key in table or () if isinstance(table, dict))]
    except Malformed:
        keys = []  # parse_policy says what is wrong
    try:
        for key in keys:
            _require_known(key)
        return parse_policy(data)
    except Usage as error:
        raise Usage(
            f"{path}: {error.detail}", code=error.code, expected=error.expected, got=error.got
        ) from None


def _require_known(key: str) -> None:
    if key not in _KINDS:
        near = _nearest(key, tuple(_KINDS))
        raise Usage(
            f"a policy has no key {key[:100]!r}{near}",
            code="policy_key_unknown",
            expected=None if near else f"one of {', '.join(FIELDS)}",
            got=key[:100],
        )


def _nearest(word: str, words: Sequence[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  only for mistakes

    near = get_close_matches(word.replace("-", "_"), words, n=1, cutoff=0.5)
    return f": did you mean {near[0]}?" if near else ""


def _changes(changes: Sequence[str], policy: Policy) -> dict[str, Any]:
    """Return the fields that differ; one of the table's leaves its others as they were."""
    found: dict[str, Any] = {}
    for change in changes:
        field, separator, text = change.partition("=")
        if not separator:
            raise Usage(
                "--set takes a field and a value", expected="--set FIELD=VALUE", got=change[:100]
            )
        field = field.strip().replace("-", "_")
        _require_known(field)
        value = _value(field, text.strip())
        if field.startswith(f"{TABLE}."):
            before = found.get(TABLE) or (policy.gpu.to_json() if policy.gpu else {})
            field, value = TABLE, before | {field.removeprefix(f"{TABLE}."): value}
        found[field] = value
    return found


def _value(field: str, text: str) -> Any:
    """Read a value as TOML would; bare words are text, and one thing stands for a list of it."""
    annotation = str(_KINDS[field])
    try:
        value = stricttoml.loads(f"value = {text}", limit=MAX_POLICY_BYTES)["value"]
    except Malformed:
        value = text
    if "str" in annotation and isinstance(value, int):
        value = text  # hex digits that happen to look like a number
    if annotation.startswith("tuple") and not isinstance(value, list | dict):
        value = [part.strip() for part in text.split(",")]
        if annotation.startswith("tuple[int") and all(part.isdigit() for part in value):
            value = [int(part) for part in value]
    return value

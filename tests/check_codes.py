"""Which checks the source can make, and with which codes each can fail: read from its syntax.

A check fails in one of four ways: ``failed("name", "code", …)``; ``failed("name", error.code, …)``
behind a ``try``; ``out.attempt("name", lambda: …)``; ``any_of("name", …)`` and ``flag("name", …)``,
whose codes follow from the name. What a ``try`` or an ``attempt`` can raise is every code in the
functions that it mentions, and in those that these mention.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.vectors import ROOT

SOURCE = ROOT / "src" / "teeproof"
ERRORS = {"Malformed": "malformed", "TooLarge": "too_large", "NotAuthentic": "not_authentic"}
AUTHENTICITY = "authenticity"  # the concern of a check that names none
CHECKERS = ("passed", "failed", "not_checked", "any_of", "flag", "attempt", "skip", "check_dates")


@dataclass(eq=False)
class Module:
    """One file: its functions by name, and what its imported names mean."""

    name: str
    tree: ast.Module
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)


Found = tuple[str, str, str]
"""A check's name, a code, and the concern that decides the exit code."""


@cache
def modules() -> dict[str, Module]:
    """Return the modules of ``evidence`` and ``core``, but for those that judge nothing."""
    found = {}
    for path in sorted([*SOURCE.glob("evidence/**/*.py"), *SOURCE.glob("core/*.py")]):
        if not {"simulated", "collect", "samples", "files"} & set(path.parts):
            module = _read(path)
            found[module.name] = module
    return found


def _read(path: Path) -> Module:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    module = Module(name, ast.parse(path.read_text()))
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef):
            module.functions[node.name] = node
        elif isinstance(node, ast.ImportFrom):
            module.imports |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    scopes: list[ast.Module | ast.FunctionDef] = [module.tree, *module.functions.values()]
    for scope in scopes:
        _write_out(scope)
    return module


def _write_out(scope: ast.Module | ast.FunctionDef) -> None:
    """Put the text itself where a scope uses a name for it, as in ``name = "age"``."""
    texts = {
        target.id: node.value
        for node in scope.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }
    for call in _calls(scope):
        call.args = [texts.get(getattr(argument, "id", ""), argument) for argument in call.args]


def names() -> set[str]:
    """Return the name of every check that the source can make."""
    return {
        name
        for module in modules().values()
        for call in _calls(module.tree)
        if _called(call) in CHECKERS and (name := _text(call, 0)) is not None
    }


def failures() -> set[Found]:
    """Return each check with each code and concern that the source can give it."""
    found: set[Found] = set()
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                found |= _of_call(module, node)
            elif isinstance(node, ast.Try):
                found |= _of_try(module, node)
    return found


def _of_call(module: Module, call: ast.Call) -> set[Found]:
    name, kind = _text(call, 0), _called(call)
    if name is None or kind not in CHECKERS:
        return set()
    if kind == "failed":
        return {(name, code, _concern(call)) for code in _codes_of_failed(module, call)}
    if kind == "attempt":
        return {(name, code, AUTHENTICITY) for code in reached(module, call.args[1])}
    if kind not in ("any_of", "flag"):
        return set()
    ends = ["mismatch"] if kind == "any_of" else ["on", "off"]
    ends += ["unknown"] if _may_be_none(module, call.args[2]) else []
    return {(name, f"{name.replace('-', '_')}_{end}", "policy") for end in ends}


def _codes_of_failed(module: Module, call: ast.Call) -> set[str]:
    """Return the codes of ``failed(name, "code")``, or of ``failed(name, *function())``."""
    if isinstance(call.args[1], ast.Starred):
        return set(_first_texts(module, call.args[1].value))
    code = _text(call, 1)
    return set() if code is None else {code}


def _of_try(module: Module, node: ast.Try) -> set[Found]:
    told = [
        (name, _concern(call))
        for handler in node.handlers
        for call in _calls(handler)
        if _called(call) == "failed" and (name := _text(call, 0)) is not None
        if isinstance(call.args[1], ast.Attribute) and call.args[1].attr == "code"
    ]
    return {
        (name, code, concern)
        for name, concern in told
        for part in node.body
        for code in reached(module, part)
    }


def _concern(call: ast.Call) -> str:
    starred = len(call.args) > 1 and isinstance(call.args[1], ast.Starred)
    return _text(call, 2 if starred else 3) or AUTHENTICITY


def reached(module: Module, *start: ast.AST) -> set[str]:
    """Return the codes of every error that these pieces of a module can raise."""
    codes: set[str] = set()
    seen: set[int] = set()
    waiting = [(module, node) for node in start]
    while waiting:
        here, node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        codes |= set(_codes(here, node))
        waiting += [found for part in ast.walk(node) if (found := _resolve(here, part))]
    return codes


def _codes(module: Module, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given = [word.value for word in node.keywords if word.arg == "code"]
            target = _resolve(module, node.func)
            if target and "code" in (order := [a.arg for a in target[1].args.args]):
                given += node.args[order.index("code") : order.index("code") + 1]
            if not given and _called(node) in ERRORS:
                yield ERRORS[_called(node)]
            yield from (str(g.value) for g in given if isinstance(g, ast.Constant) and g.value)
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Tuple):
            words = [getattr(part, "id", "") for part in node.target.elts]
            rows = node.iter.elts if isinstance(node.iter, ast.Tuple) else []
            if "code" in words:
                yield from (_constant(row.elts[words.index("code")]) for row in rows)  # type: ignore[attr-defined]


def _constant(node: ast.AST) -> str:
    assert isinstance(node, ast.Constant), "a table of codes holds something else"
    return str(node.value)


def _resolve(module: Module, node: ast.AST) -> tuple[Module, ast.FunctionDef] | None:
    """Return the function of ours that a name or ``module.name`` means, if it is one."""
    if isinstance(node, ast.Name):
        if node.id in module.functions:
            return module, module.functions[node.id]
        return _function(module.imports.get(node.id, ""))
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return _function(f"{module.imports.get(node.value.id, '')}.{node.attr}")
    return None


def _function(path: str) -> tuple[Module, ast.FunctionDef] | None:
    where, _, name = path.rpartition(".")
    module = modules().get(where)
    if module is None:
        return None
    if name in module.functions:
        return module, module.functions[name]
    return _function(module.imports[name]) if name in module.imports else None


def _may_be_none(module: Module, node: ast.AST) -> bool:
    target = _resolve(module, node.func) if isinstance(node, ast.Call) else None
    returned = ast.unparse(target[1].returns) if target and target[1].returns else ""
    return "None" in ast.unparse(node) or "None" in returned


def _first_texts(module: Module, call: ast.AST) -> Iterator[str]:
    target = _resolve(module, call.func) if isinstance(call, ast.Call) else None
    assert target, "nobody knows which code this is"
    for node in ast.walk(target[1]):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            yield _constant(node.value.elts[0])


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _called(call: ast.Call) -> str:
    return str(getattr(call.func, "attr", getattr(call.func, "id", "")))


def _text(call: ast.Call, index: int) -> str | None:
    node = call.args[index] if len(call.args) > index else None
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None

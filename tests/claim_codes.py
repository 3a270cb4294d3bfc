"""Which checks each judge of claims can make, and with which codes they can fail.

Begins with the registry of judges and follows each call into our own functions, with the texts that
are passed on: a name or a code may come from an argument, a local name, a loop over a table, or be
put together. ``failed(name, error.code, …)`` behind a ``try`` has every code that its body can
raise. A check whose name or code cannot be told is an error here, so nothing is passed over.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import itertools
import textwrap
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from teeproof.core.errors import Error
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.proof.verify import claims

Texts = frozenset[str]
MAKERS: dict[Any, str] = {passed: "passed", failed: "failed", not_checked: "not_checked"}
EXIT_CODES = {"authenticity": 2, "availability": 3, "policy": 4}
NOTHING: Texts = frozenset()


class Found(NamedTuple):
    """One thing that a check can be; ``code`` and ``exit_code`` only of a failure."""

    check: str
    state: str
    code: str | None = None
    exit_code: int | None = None


Site = tuple[str, int]
"""Where a check is made: a module, and a line."""


def judges() -> dict[str, FunctionType]:
    """Return our judges by kind of statement, not those of tests; without a chapter, none."""
    known = typing.cast(dict[str, FunctionType], claims._JUDGES)
    return {kind: one for kind, one in known.items() if one.__module__.startswith("teeproof.")}


def checks_of(start: Any) -> set[Found]:
    """Return everything that a function can make of a statement."""
    return {found for found, _ in _made(start)}


def sites_of(start: Any) -> set[Site]:
    """Return where it makes them."""
    return {site for _, site in _made(start)}


@cache
def _made(start: Any) -> set[tuple[Found, Site]]:
    found: set[tuple[Found, Site]] = set()
    for scope in _reached(Scope(start, {})):
        for call in scope.calls:
            if (state := MAKERS.get(scope.meant(call.func))) is not None:
                site = scope.function.__module__, scope.line + call.lineno
                found |= {(one, site) for one in scope.checks(call, state)}
            assert scope.meant(call.func) is not Check, "a check that is made in no known way"
    return found


def errors_of(start: Any, within: Iterable[ModuleType]) -> set[tuple[str, int]]:
    """Return code and exit code of each error that a function can raise itself, in some modules."""
    names = {module.__name__ for module in within}
    return {
        (code, kind.exit_code)
        for scope in _reached(Scope(start, {}), only=names)
        for call in scope.calls
        if _is_error(kind := scope.meant(call.func))
        for code in scope.codes(call, kind)
    }


class Scope:
    """A function, with the texts that are known of its arguments."""

    def __init__(self, function: Any, given: Mapping[str, Texts]) -> None:
        self.function = function
        self.tree, self.line = _tree(function)
        self.key = function, frozenset(given.items())
        self.texts: dict[str, Texts] = {**_defaults(self.tree), **given}
        self.kinds: dict[str, Any] = _hints(function)
        if self.tree.args.args and self.tree.args.args[0].arg in ("self", "cls"):
            self.kinds[self.tree.args.args[0].arg] = _owner(function)
        self.tables: dict[str, list[ast.expr]] = {}
        self.calls = sorted(
            _all(self.tree, ast.Call), key=lambda call: (call.lineno, call.col_offset)
        )
        for assigned in _all(self.tree, ast.Assign):
            for target in assigned.targets:
                self._bind(target, assigned.value)
        for added in _all(self.tree, ast.AugAssign):
            if isinstance(added.target, ast.Name):
                self.tables.setdefault(added.target.id, []).extend(_elements(added.value))
        loops: list[Any] = [*_all(self.tree, ast.For), *_all(self.tree, ast.comprehension)]
        for loop in loops:
            for element in self._rows(loop.iter):
                self._bind(loop.target, element)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, other in zip(target.elts, value.elts, strict=True):
                self._bind(one, other)
        elif isinstance(target, ast.Name):
            self.texts[target.id] = self.texts.get(target.id, NOTHING) | self.text(value)
            self.kinds.setdefault(target.id, self.kind(value))
            self.tables.setdefault(target.id, []).extend(_elements(value))

    def _rows(self, node: ast.expr) -> list[ast.expr]:
        return self.tables.get(node.id, []) if isinstance(node, ast.Name) else _elements(node)

    def text(self, node: ast.expr | None) -> Texts:
        """Return each text that an expression can be, as far as it can be told."""
        match node:
            case ast.Constant(value=str(text)):
                return frozenset({text})
            case ast.Name(id=name):
                known = self.function.__globals__.get(name)
                one = frozenset({known}) if isinstance(known, str) else NOTHING
                return self.texts.get(name, one)
            case ast.IfExp(body=body, orelse=other):
                return self.text(body) | self.text(other)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return _joined(self.text(left), self.text(right))
            case ast.JoinedStr(values=parts):
                return _joined(*map(self.text, parts))
            case ast.FormattedValue(value=value):
                return self.text(value)
            case ast.Call(func=ast.Attribute(value=value, attr="replace"), args=[old, new]):
                ways = itertools.product(self.text(value), self.text(old), self.text(new))
                return frozenset(text.replace(a, b) for text, a, b in ways)
        return NOTHING

    def meant(self, node: ast.expr) -> Any:
        """Return what a name, or ``owner.name``, means here; None if that cannot be told."""
        if isinstance(node, ast.Name) and node.id not in self.kinds and node.id not in self.texts:
            return self.function.__globals__.get(node.id, getattr(builtins, node.id, None))
        if isinstance(node, ast.Attribute):
            owner = self.meant(node.value)
            if not isinstance(owner, ModuleType | type):
                owner = self.kind(node.value)
            return None if owner is None else getattr(owner, node.attr, None)
        return None

    def kind(self, node: ast.expr) -> Any:
        """Return the class of what an expression is; None if that cannot be told."""
        if isinstance(node, ast.Name):
            return self.kinds.get(node.id)
        if isinstance(node, ast.Attribute):
            return _hints(self.kind(node.value)).get(node.attr)
        if isinstance(node, ast.Call):
            called = self.meant(node.func)
            return called if isinstance(called, type) else _hints(called).get("return")
        return None

    def checks(self, call: ast.Call, state: str) -> Iterator[Found]:
        """Yield what a call of ``passed``, ``failed`` or ``not_checked`` makes here."""
        names = self.text(call.args[0])
        assert names, f"which check is this? {ast.unparse(call)}"
        if state != "failed":
            yield from (Found(name, state) for name in names)
            return
        concerns = self.text(call.args[3]) if len(call.args) > 3 else {"authenticity"}
        codes = self._raised_before(call) or self.text(call.args[1])
        assert codes, f"which code is this? {ast.unparse(call)}"
        for name, code, concern in itertools.product(names, codes, concerns):
            yield Found(name, state, code, EXIT_CODES[concern])

    def _raised_before(self, call: ast.Call) -> Texts:
        """Return the codes of ``failed(name, error.code, …)`` behind a ``try``."""
        if not (isinstance(call.args[1], ast.Attribute) and call.args[1].attr == "code"):
            return NOTHING
        (around,) = [
            one
            for one in _all(self.tree, ast.Try)
            if any(call in _all(handler, ast.Call) for handler in one.handlers)
        ]
        tried = [call for part in around.body for call in _all(part, ast.Call)]
        for one in tried:
            assert self.meant(one.func) is not None, f"what does this raise? {ast.unparse(one)}"
        return frozenset(
            code
            for scope in _reached(*map(self.called, tried))
            for inner in scope.calls
            if _is_error(kind := scope.meant(inner.func))
            for code in scope.codes(inner, kind)
        )

    def codes(self, call: ast.Call, kind: type[Error]) -> Texts:
        """Return the codes of an error that is made here."""
        given = next((word.value for word in call.keywords if word.arg == "code"), None)
        if given is None:
            return frozenset({kind.default_code})
        if isinstance(given, ast.Attribute) and given.attr == "code":  # of a check that failed
            made = (self.called(one) for one in self.calls)
            found = {row for scope in made if scope for row in checks_of(scope.function)}
            return frozenset(row.code for row in found if row.code is not None)
        codes = self.text(given)
        assert codes, f"which code is this? {ast.unparse(call)}"
        return codes

    def called(self, call: ast.Call) -> Scope | None:
        """Return the scope of one of our functions that is called here; None if it is none."""
        function = getattr(self.meant(call.func), "__func__", self.meant(call.func))
        ours = isinstance(function, FunctionType) and function.__module__.startswith("teeproof.")
        if not ours or function in MAKERS:
            return None
        given = _tree(function)[0].args
        names = [one.arg for one in given.args]
        names = names[1:] if names[:1] in (["self"], ["cls"]) else names
        pairs = [*zip(names, call.args, strict=False), *((w.arg, w.value) for w in call.keywords)]
        texts = {name: self.text(node) for name, node in pairs if name is not None}
        return Scope(function, {name: text for name, text in texts.items() if text})


def _reached(*start: Scope | None, only: set[str] | None = None) -> list[Scope]:
    """Return these scopes and all that they call, each once."""
    found: dict[Any, Scope] = {}
    waiting = list(start)
    while waiting:
        scope = waiting.pop()
        if scope is None or scope.key in found:
            continue
        if only is not None and scope.function.__module__ not in only:
            continue
        found[scope.key] = scope
        waiting += map(scope.called, scope.calls)
    return list(found.values())


def all_sites(tree: ast.AST, module: str) -> set[Site]:
    """Return each place in a file that makes a check."""
    names = {maker.__name__ for maker in MAKERS}
    return {
        (module, call.lineno)
        for call in _all(tree, ast.Call)
        if isinstance(call.func, ast.Name) and call.func.id in names
    }


@cache
def _tree(function: Callable[..., Any]) -> tuple[ast.FunctionDef, int]:
    """Return a function's syntax, and how many lines stand above it."""
    lines, first = inspect.getsourcelines(function)
    (tree,) = ast.parse(textwrap.dedent("".join(lines))).body
    assert isinstance(tree, ast.FunctionDef)
    return tree, first - 1


@cache
def _hints(what: Any) -> dict[str, Any]:
    try:
        found = typing.get_type_hints(what)
    except (NameError, TypeError):
        return {}
    properties = {
        name: one
        for name, one in getattr(what, "__dict__", {}).items()
        if isinstance(one, property)
    }
    return {**found, **{n: _hints(p.fget).get("return") for n, p in properties.items()}}


def _owner(function: Any) -> Any:
    """Return the class that a method stands in."""
    module = inspect.getmodule(function)
    return getattr(module, function.__qualname__.partition(".")[0], None)


def _defaults(tree: ast.FunctionDef) -> dict[str, Texts]:
    given = tree.args
    pairs = [
        *zip(reversed(given.args), reversed(given.defaults), strict=False),
        *zip(given.kwonlyargs, given.kw_defaults, strict=True),
    ]
    return {
        argument.arg: frozenset({value.value})
        for argument, value in pairs
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }


def _is_error(what: Any) -> bool:
    return isinstance(what, type) and issubclass(what, Error)


def _joined(*parts: Texts) -> Texts:
    return frozenset(map("".join, itertools.product(*parts)))


def _elements(node: ast.expr) -> list[ast.expr]:
    return list(node.elts) if isinstance(node, ast.Tuple | ast.List) else []


N = typing.TypeVar("N", bound=ast.AST)


def _all(tree: ast.AST, kind: type[N]) -> list[N]:
    return [node for node in ast.walk(tree) if isinstance(node, kind)]

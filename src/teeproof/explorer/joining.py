"""Join JavaScript modules into one script without imports; each keeps a scope of its own.

A module becomes ``const $name = (() => { …; return { what it exports }; })();``, so that the script
needs no loader, and a page's policy can name it by one digest. Only the forms of ``import`` and
``export`` that our modules and those under ``vendor`` have are read; any other stops the build.

Trusts: the modules, which are ours, or vendored by digest.
Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable

from teeproof.core.errors import Usage

__all__ = ["joined"]

_IMPORT = re.compile(
    r'^import (?:\{([^}]*)\}|\* as (\w+)) from ["\']([^"\']+)["\'];[^\n]*$', re.MULTILINE
)
_EXPORT = re.compile(r"^export ((?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
_LIST = re.compile(r'^export \{([^}]*)\}(?: from ["\']([^"\']+)["\'])?;[^\n]*$', re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)
_NAMES = re.compile(r"\w+(?: as \w+)?")

# Comments that fill their lines, but licences' (``/*!``), and indentation: half of a page.
_BLOCK = re.compile(r"^[ \t]*/\*(?!!)(?:(?!\*/).)*\*/[ \t]*\n", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"^[ \t]*//.*\n|^[ \t]+", re.MULTILINE)
_PACKAGES = {
    f"@noble/{name}/": f"vendor/noble-{name}/" for name in ("hashes", "curves", "post-quantum")
}


def joined(names: Iterable[str], read: Callable[[str], str]) -> str:
    """Return the modules as one script.

    Args:
        names: paths without ``.js``, each behind those that it imports from.
        read: returns a module's text by its path.

    Raises:
        Usage: an import of what does not stand before, or a form that is not read here.
    """
    made: list[str] = []
    before: set[str] = set()
    for name in names:
        made.append(_scope(name, read(name), before))
        before.add(name)
    return "".join(made)


def _scope(name: str, text: str, before: set[str]) -> str:
    text = _LINE.sub("", _BLOCK.sub("", text))
    exported: dict[str, str] = {}

    def bound(found: re.Match[str]) -> str:
        named, whole, path = found.groups()
        module = _scope_of(_resolved(name, path), before)
        if whole:
            return f"const {whole} = {module};"
        return f"const {{ {', '.join(_renamed(named))} }} = {module};" if named.strip() else ""

    def listed(found: re.Match[str]) -> str:
        named, path = found.groups()
        scope = "" if path is None else f"{_scope_of(_resolved(name, path), before)}."
        for one in _NAMES.findall(named):
            inner, _, outer = one.partition(" as ")
            exported[outer or inner] = f"{outer or inner}: {scope}{inner}"
        return ""

    def kept(found: re.Match[str]) -> str:
        exported[found[2]] = found[2]
        return found[1]

    body = _EXPORT.sub(kept, _LIST.sub(listed, _IMPORT.sub(bound, text)))
    if left := _LEFT.search(body):
        raise Usage(f"{name}.js has a form of import or export that is not read", got=left[0][:100])
    gives = ", ".join(exported.values())
    return f"const {_variable(name)} = (() => {{\n{body}\nreturn {{ {gives} }};\n}})();\n"


def _renamed(names: str) -> list[str]:
    return [found.replace(" as ", ": ") for found in _NAMES.findall(names)]


def _resolved(name: str, path: str) -> str:
    for package, folder in _PACKAGES.items():
        if path.startswith(package):
            return (folder + path.removeprefix(package)).removesuffix(".js")
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), path)).removesuffix(".js")


def _scope_of(name: str, before: set[str]) -> str:
    if name not in before:
        raise Usage(f"a module is imported that does not stand before: {name}.js")
    return _variable(name)


def _variable(name: str) -> str:
    return "$" + re.sub(r"\W", "_", name.removeprefix("vendor/"))

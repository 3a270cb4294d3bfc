"""The contracts as they are deployed: interface and bytecode, compiled beforehand and shipped.

    load("Fund").abi, .bytecode
    at("Fund", "0x…")                  the contract of that name at an address
    recognise(chain.code("0x…"))       which of them stands there: "Fund", or None

What a deployment leaves on a chain is the ``runtime`` and, behind it, the values that the
constructor fixed (immutables), word by word.

Source of the layout: Vyper's documentation of its output. A creation code ends with a CBOR list of
an integrity hash, the size of the runtime, those of its data sections, that of the immutables, and
the compiler's version; behind it stands its own length, two bytes that it counts.

No compiler is needed to use them. ``scripts/contracts check`` compiles the sources beside them and
compares byte by byte; each artifact names its compiler, its settings and its sources' digests.

Trusts: this package's files.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from teeproof.chain.abi import Contract
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, Usage
from teeproof.evidence import cbor

__all__ = ["NAMES", "Artifact", "Runtime", "at", "load", "parse", "recognise", "source"]

NAMES: Final = ("Anchors", "Fund", "Payments", "Pool", "TestToken")
_MOST_TAIL = 256  # bytes of the CBOR list at the end


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a deployment leaves on a chain.

    Attributes:
        code: the program, the same at every address.
        immutables: how many bytes of the constructor's own values follow it.
    """

    code: bytes
    immutables: int

    def is_in(self, found: bytes) -> bool:
        """Whether the code at an address is this program, whatever its immutables are."""
        whole = len(self.code) + self.immutables
        return len(found) == whole and found.startswith(self.code)


@dataclass(frozen=True)
class Artifact:
    """A compiled contract.

    Attributes:
        name: of the contract.
        abi: its interface, in the JSON of Solidity's and Vyper's compilers.
        bytecode: what a deployment sends, before the encoded arguments of the constructor.
        compiler: name, version and commit.
        settings: of the compiler, as the source names them.
        sources: ``sha256:…`` of each source file, by name.
    """

    name: str
    abi: tuple[dict[str, Any], ...]
    bytecode: bytes
    compiler: str
    settings: dict[str, str]
    sources: dict[str, str]

    @property
    def is_of_its_sources(self) -> bool:
        """Whether the sources beside it are those that it was compiled from."""
        return all(named(sha256(source(file))) == told for file, told in self.sources.items())

    @cached_property
    def runtime(self) -> Runtime:
        """What it leaves on a chain; Malformed if the bytecode does not end as the compiler's."""
        data = self.bytecode
        tail = int.from_bytes(data[-2:], "big")
        if not 2 < tail <= min(_MOST_TAIL, len(data)):
            raise _no_tail(str(tail))
        match cbor.loads(data[-tail:-2], limit=_MOST_TAIL, what="bytecode's end"):
            case [bytes(), int(size), list(), int(immutables), dict()] if 0 < size <= len(
                data
            ) - tail and 0 <= immutables <= len(data):
                return Runtime(data[-tail - size : -tail], immutables)
            case other:
                raise _no_tail(str(other))


@cache
def load(name: str) -> Artifact:
    """Return a compiled contract; Usage if there is none of that name."""
    if name not in NAMES:
        raise Usage(
            "there is no such contract here",
            code="contract_unknown",
            expected=", ".join(NAMES),
            got=name[:60],
        )
    return parse((_folder("artifacts") / f"{name}.json").read_bytes())


def at(name: str, address: str) -> Contract:
    """Return one of these contracts as it stands on a chain."""
    return Contract(address, load(name).abi)


def parse(data: bytes) -> Artifact:
    """Return the artifact in a file that ``scripts/contracts`` wrote."""
    read = json.loads(data)
    return Artifact(
        name=read["name"],
        abi=tuple(read["abi"]),
        bytecode=bytes.fromhex(read["bytecode"].removeprefix("0x")),
        compiler=read["compiler"],
        settings=read["settings"],
        sources=read["sources"],
    )


def recognise(code: bytes) -> str | None:
    """Return which of these contracts the code at an address is; None if it is none of them."""
    return next((name for name in NAMES if load(name).runtime.is_in(code)), None)


def source(file: str) -> bytes:
    """Return a source file, such as ``Fund.vy``."""
    return (_folder("contracts") / file).read_bytes()


def _no_tail(got: str) -> Malformed:
    return Malformed(
        "this bytecode does not end as Vyper's compiler ends it",
        code="bytecode_malformed",
        expected="a CBOR list of five, with the sizes of runtime and immutables",
        got=got[:100],
    )


def _folder(name: str) -> Traversable:
    return resources.files("teeproof.chain") / name

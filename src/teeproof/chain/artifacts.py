"""The contracts as they are deployed: interface and bytecode, compiled beforehand and shipped.

    load("Fund").abi, .bytecode
    at("Fund", "0x…")                  the contract of that name at an address

No compiler is needed to use them. ``scripts/contracts check`` compiles the sources beside them and
compares byte by byte; each artifact names its compiler, its settings and its sources' digests.

Trusts: this package's files.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from teeproof.chain.abi import Contract
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Usage

__all__ = ["NAMES", "Artifact", "at", "load", "parse", "source"]

NAMES: Final = ("Anchors", "Fund", "Payments", "Pool", "TestToken")


@dataclass(frozen=True, slots=True)
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


def source(file: str) -> bytes:
    """Return a source file, such as ``Fund.vy``."""
    return (_folder("contracts") / file).read_bytes()


def _folder(name: str) -> Traversable:
    return resources.files("teeproof.chain") / name

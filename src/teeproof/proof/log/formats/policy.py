"""Which logs and witnesses a relying party trusts, and how many of them make a quorum.

c2sp.org/tlog-policy. Beyond its text we refuse a witness that has a log's key, and a file whose
last line does not end: it may have been cut short.

Trusts: the policy's author.  Does not trust: logs and witnesses that the policy does not name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Self

import msgspec

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, TooLarge
from teeproof.proof.log.formats import judge as _judge
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.judge import Cosigned, Judgement
from teeproof.proof.log.formats.note import COSIGNATURE, COSIGNATURE_MLDSA, ED25519, VerifierKey
from teeproof.proof.log.formats.text import decimal

__all__ = ["Cosigned", "Group", "Judgement", "LogKey", "TlogPolicy", "WitnessKey"]

MAX_POLICY_BYTES = 1 << 18
MAX_NAMES = 256  # of each kind; the specification asks for 32
_FORBIDDEN = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_BLANK = re.compile(rb"[ \t]+")
_NONE = "none"
_LOG_TYPES = (ED25519,)
_WITNESS_TYPES = (COSIGNATURE, COSIGNATURE_MLDSA)


class LogKey(msgspec.Struct, frozen=True):
    """A log: its first key, where it is reached, and further keys of the same origin."""

    key: VerifierKey
    url: str | None = None
    further: tuple[VerifierKey, ...] = ()

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """All keys that may sign for this origin."""
        return (self.key, *self.further)


class WitnessKey(msgspec.Struct, frozen=True):
    """A witness: its key, and where it is reached."""

    key: VerifierKey
    url: str | None = None


class Group(msgspec.Struct, frozen=True):
    """Witnesses and groups by name, of which ``threshold`` must have cosigned."""

    threshold: int
    members: tuple[str, ...]


class TlogPolicy(msgspec.Struct, frozen=True, dict=True):
    """A parsed policy. Make one with ``parse``.

    Attributes:
        logs: by origin.
        witnesses: by their names in the policy. Octets that are no UTF-8 are surrogates in them.
        groups: by name, each after its members.
        quorum: the witness or group that must have cosigned; None if none need be.
    """

    logs: Mapping[str, LogKey]
    witnesses: Mapping[str, WitnessKey]
    groups: Mapping[str, Group]
    quorum: str | None

    @classmethod
    def parse(cls, text: bytes | str) -> Self:
        """Return the policy in a text.

        Raises:
            Malformed: the detail names the line. Codes: ``policy_malformed``,
                ``policy_key_repeated``, ``policy_name_repeated``, ``policy_name_unknown``,
                ``policy_quorum`` where there is not exactly one, and those of verifier keys.
            TooLarge: more than 256 KiB, or 256 logs, witnesses or groups.
        """
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        if len(data) > MAX_POLICY_BYTES:
            raise TooLarge("the policy is too long", expected=f"at most {MAX_POLICY_BYTES} bytes")
        if _FORBIDDEN.search(data):
            raise _malformed("it has a control character other than tab and newline")
        *lines, rest = data.split(b"\n")
        if rest:
            raise _malformed("its last line does not end in a newline: it may have been cut short")
        reader = _Reader()
        for number, line in enumerate(lines, 1):
            words = _BLANK.split(line.strip(b" \t"))
            if words[0] and not words[0].startswith(b"#"):
                reader.read(number, words)
        logs, witnesses, groups, quorum = reader.result()
        return cls(logs, witnesses, groups, quorum)

    def judge(
        self, signed: SignedCheckpoint, *, now: int, operated: Collection[bytes] = ()
    ) -> Judgement:
        """Return what this policy says of a checkpoint; arguments as of ``judge.judge``."""
        return _judge.judge(self, signed, now=now, operated=operated)

    @cached_property
    def electorate(self) -> frozenset[str]:
        """The witnesses and groups on which the quorum depends."""
        found = {self.quorum} if self.quorum is not None else set()
        for name, group in reversed(list(self.groups.items())):
            if name in found:
                found.update(group.members)
        return frozenset(found)

    def encode(self) -> bytes:
        """Return the one text of all policies that judge alike by the same names.

        Order, comments, URLs and the words ``any`` and ``all`` are gone from it.
        """
        keys = sorted(key.text() for log in self.logs.values() for key in log.keys)
        lines = [f"log {key}" for key in keys]
        lines += [
            f"witness {name} {self.witnesses[name].key.text()}"
            for name in _by_octets(self.witnesses)
        ]
        for name in _by_octets(self.groups, self._height):
            group = self.groups[name]
            members = " ".join(_by_octets(group.members))
            lines.append(f"group {name} {group.threshold} {members}")
        lines.append(f"quorum {self.quorum or _NONE}")
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")

    @property
    def digest(self) -> str:
        """``sha256:…`` over ``encode()``: what a verdict under this policy refers to."""
        return named(sha256(self.encode()))

    @cached_property
    def _heights(self) -> dict[str, int]:
        heights: dict[str, int] = {}
        for name, group in self.groups.items():
            heights[name] = 1 + max(heights.get(member, 0) for member in group.members)
        return heights

    def _height(self, name: str) -> int:
        return self._heights[name]


class _Reader:
    """Reads lines one after the other; what a line refers to must stand before it."""

    def __init__(self) -> None:
        self.logs: dict[str, LogKey] = {}
        self.witnesses: dict[str, WitnessKey] = {}
        self.groups: dict[str, Group] = {}
        self.quorums: list[str] = []
        self.log_keys: set[bytes] = set()
        self.witness_keys: set[bytes] = set()
        self.members: set[str] = set()
        self.number = 0

    def read(self, number: int, words: list[bytes]) -> None:
        self.number = number
        kind, *rest = (word.decode("utf-8", "surrogateescape") for word in words)
        read, least, most = _LINES.get(kind, (None, 0, 0))
        if read is None or not least <= len(rest) <= most:
            raise self.refuse("it is not a log, witness, group or quorum line", got=kind)
        read(self, rest)

    def log(self, words: list[str]) -> None:
        key = self.key(words[0], _LOG_TYPES, "a log", self.log_keys)
        url = words[1] if len(words) > 1 else None
        known = self.logs.get(key.name)
        if known is not None:
            self.logs[key.name] = LogKey(known.key, known.url or url, (*known.further, key))
        else:
            self.logs[key.name] = LogKey(key, url)

    def witness(self, words: list[str]) -> None:
        name = self.define(words[0])
        key = self.key(words[1], _WITNESS_TYPES, "a witness", self.witness_keys)
        self.witnesses[name] = WitnessKey(key, words[2] if len(words) > 2 else None)

    def group(self, words: list[str]) -> None:
        name, threshold, *members = words
        self.define(name)
        for member in members:
            self.refer(member)
            if member in self.members:
                raise self.refuse(f"{member} is a member already", "policy_name_repeated")
            self.members.add(member)
        self.groups[name] = Group(self.threshold(threshold, len(members)), tuple(members))

    def quorum(self, words: list[str]) -> None:
        if words[0] != _NONE:
            self.refer(words[0])
        self.quorums.append(words[0])

    def threshold(self, text: str, members: int) -> int:
        if text in ("any", "all"):
            return 1 if text == "any" else members
        try:
            value = decimal(text.encode("utf-8", "surrogateescape"), what="threshold")
        except Malformed:
            value = 0
        if not 1 <= value <= members:
            raise self.refuse("the threshold is not 1 to the number of members", got=text)
        return value

    def key(self, text: str, types: tuple[int, ...], who: str, taken: set[bytes]) -> VerifierKey:
        try:
            key = VerifierKey.parse(text)
        except Malformed as error:
            raise self.refuse(error.detail, error.code, error.expected, error.got) from None
        if key.algorithm not in types:
            raise self.refuse(
                f"the key has another signature type than that of {who}",
                "policy_key_type",
                " or ".join(f"0x{kind:02x}" for kind in types),
                f"0x{key.algorithm:02x}",
            )
        if key.public_key in taken:
            raise self.refuse(f"{who} has this public key already", "policy_key_repeated")
        taken.add(key.public_key)
        if len(taken) > MAX_NAMES:
            raise TooLarge(f"the policy names more than {MAX_NAMES} keys of a kind")
        return key

    def define(self, name: str) -> str:
        if name == _NONE:
            raise self.refuse("the name 'none' is taken", "policy_name_repeated")
        if name in self.witnesses or name in self.groups:
            raise self.refuse(f"{name} is defined already", "policy_name_repeated")
        if len(self.groups) >= MAX_NAMES:
            raise TooLarge(f"the policy has more than {MAX_NAMES} groups")
        return name

    def refer(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise self.refuse(f"{name} is not defined before this line", "policy_name_unknown")

    def result(
        self,
    ) -> tuple[Mapping[str, LogKey], Mapping[str, WitnessKey], Mapping[str, Group], str | None]:
        if len(self.quorums) != 1:
            raise Malformed(
                "a policy has exactly one quorum line ('quorum none' asks for no cosignature)",
                code="policy_quorum",
                got=f"{len(self.quorums)} quorum lines",
            )
        if self.log_keys & self.witness_keys:
            raise Malformed(
                "a witness has the key of a log: it would be its own witness",
                code="policy_key_repeated",
            )
        quorum = None if self.quorums[0] == _NONE else self.quorums[0]
        frozen = MappingProxyType
        return frozen(self.logs), frozen(self.witnesses), frozen(self.groups), quorum

    def refuse(
        self,
        why: str,
        code: str = "policy_malformed",
        expected: str | None = None,
        got: str | None = None,
    ) -> Malformed:
        return _malformed(f"line {self.number}: {why}", code, expected, got)


_LINES: dict[str, tuple[Callable[[_Reader, list[str]], None], int, int]] = {
    "log": (_Reader.log, 1, 2),
    "witness": (_Reader.witness, 2, 3),
    "group": (_Reader.group, 3, 2 + 2 * MAX_NAMES),
    "quorum": (_Reader.quorum, 1, 1),
}


def _malformed(
    why: str,
    code: str = "policy_malformed",
    expected: str | None = None,
    got: str | None = None,
) -> Malformed:
    shown = ascii(why)[1:-1] if not why.isprintable() else why
    got = ascii(got[:100]) if got is not None else None
    return Malformed(f"the policy is refused: {shown}", code=code, expected=expected, got=got)


def _by_octets(names: Iterable[str], rank: Callable[[str], int] = lambda _: 0) -> list[str]:
    return sorted(names, key=lambda name: (rank(name), name.encode("utf-8", "surrogateescape")))

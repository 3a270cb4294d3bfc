"""Steps of a boot: what extends a register, in what order, and the bytes whose hash does it.

A step holds the bytes and not their digest, so that one list serves every bank. A step without
bytes is one that the files alone do not determine: its register is *not checked*.

Trusts: SHA-2.  Does not trust: nothing else is looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Buffer", "Register", "Step", "known", "register"]

Buffer = bytes | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One extension of a register.

    Attributes:
        what: what is measured, in words.
        depends_on: what must be the same for its digest to be the same.
        parts: the bytes that are hashed, one after the other; None where only the host knows them.
    """

    what: str
    depends_on: str
    parts: tuple[Buffer, ...] | None

    def digest(self, algorithm: str) -> bytes | None:
        """Return the digest that extends the register, or None.

        Args:
            algorithm: as ``hashlib`` names it, such as ``sha384``.
        """
        if self.parts is None:
            return None
        state = hashlib.new(algorithm)
        for part in self.parts:
            state.update(part)
        return state.digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A register as it will stand after a boot.

    Attributes:
        name: such as ``MRTD``, ``RTMR1`` or ``PCR 4``.
        values: what it will hold, any of these; empty where that is not known.
        events: what extends it, each with its digest or None; empty where nothing extends it.
        why: why no value is known, as one sentence; None where one is.
    """

    name: str
    values: tuple[bytes, ...]
    events: tuple[tuple[Step, bytes | None], ...] = ()
    why: str | None = None


def known(what: str, depends_on: str, *parts: Buffer) -> Step:
    """Return a step whose bytes are known."""
    return Step(what=what, depends_on=depends_on, parts=parts)


def register(
    name: str, steps: Sequence[Step], *, algorithm: str, why: str | None = None
) -> Register:
    """Return the register that these steps extend, beginning with zeros.

    Args:
        name: its name.
        steps: in their order.
        algorithm: the hash of its bank.
        why: why its value is not known although each step is; such a register has no value.
    """
    events = tuple((step, step.digest(algorithm)) for step in steps)
    missing = next((step for step, digest in events if digest is None), None)
    if why is None and missing is not None:
        why = f"it depends on {missing.depends_on}"
    if why is not None:
        return Register(name=name, values=(), events=events, why=why)
    value = bytes(hashlib.new(algorithm).digest_size)
    for _, digest in events:
        value = hashlib.new(algorithm, value + (digest or b"")).digest()
    return Register(name=name, values=(value,), events=events)

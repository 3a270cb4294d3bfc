"""What is expected of a machine: registers with their events, as JSON and as lines of a policy.

The JSON reads back, so that it can be kept, and a machine's log be held against it. Digests alone
are in it, no image: it is small, and says nothing of what was measured but its hash.

Source: the form is this program's own, ``urn:teeproof:expected:v1``.

Trusts: whoever computed it, as far as the reader does.  Does not trust: the JSON to be well-formed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from teeproof.core import strictjson
from teeproof.core.errors import Malformed
from teeproof.evidence.measure.steps import Register

__all__ = [
    "MAX_EXPECTED_BYTES",
    "TYPE",
    "Expected",
    "ExpectedEvent",
    "ExpectedRegister",
    "expected",
    "parse",
]

TYPE = "urn:teeproof:expected:v1"
MAX_EXPECTED_BYTES = 1 << 20
MAX_REGISTERS = 32
MAX_EVENTS = 4096
_BANKS = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
_FIELDS = {
    "MRTD": "mrtd",
    "RTMR0": "rtmr0",
    "RTMR1": "rtmr1",
    "RTMR2": "rtmr2",
    "RTMR3": "rtmr3",
    "MRCONFIGID": "mrconfigid",
    "MEASUREMENT": "measurement",
}


class ExpectedEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One extension of a register.

    Attributes:
        what: what is measured, in words.
        depends_on: what must be the same for the digest to be the same.
        digest: hex; None where only the host knows it, and how many events there are.
    """

    what: str
    depends_on: str
    digest: str | None = None


class ExpectedRegister(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One register.

    Attributes:
        name: such as ``MRTD``, ``RTMR1``, ``PCR 4`` or ``MEASUREMENT``.
        values: hex, any of these; empty where none is known.
        not_checked: why none is known; None where one is.
        events: what extends it, in order; empty where nothing does, or nothing is known of it.
    """

    name: str
    values: tuple[str, ...] = ()
    not_checked: str | None = None
    events: tuple[ExpectedEvent, ...] = ()


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is expected of one machine.

    Attributes:
        tee: ``tdx``, ``sev-snp`` or ``tpm``.
        bank: the hash of the registers.
        registers: in reading order.
    """

    tee: Literal["tdx", "sev-snp", "tpm"]
    bank: Literal["sha1", "sha256", "sha384", "sha512"]
    registers: tuple[ExpectedRegister, ...]
    type: Literal["urn:teeproof:expected:v1"] = "urn:teeproof:expected:v1"

    def to_json(self) -> dict[str, Any]:
        """Return it for people and programs, with the lines of a policy beside it."""
        return dict(msgspec.to_builtins(self))

    def policy_lines(self) -> list[str]:
        """Return lines for a policy that is about such a machine; they expect what is known."""
        lines = [line for r in self.registers if r.values for line in self._lines(r)]
        return lines[1:] if lines and not lines[0] else lines

    def _lines(self, register: ExpectedRegister) -> list[str]:
        values = ", ".join(f'"{value}"' for value in register.values)
        if register.name in _FIELDS:
            return [f"{_FIELDS[register.name]} = [{values}]"]
        index = register.name.removeprefix("PCR ")
        return [
            "",
            "[[tpm.pcrs]]",
            f'bank = "{self.bank}"',
            f"pcr = {index}",
            f"values = [{values}]",
        ]


def expected(
    tee: Literal["tdx", "sev-snp", "tpm"], registers: Sequence[Register], *, bank: str
) -> Expected:
    """Return what these registers expect; Malformed where a bank is none."""
    found = {
        "tee": tee,
        "bank": bank,
        "registers": [
            {
                "name": register.name,
                "values": [value.hex() for value in register.values],
                "not_checked": register.why,
                "events": [
                    {
                        "what": step.what,
                        "depends_on": step.depends_on,
                        "digest": None if digest is None else digest.hex(),
                    }
                    for step, digest in register.events
                ],
            }
            for register in registers
        ],
    }
    return _converted(found)


def parse(data: bytes) -> Expected:
    """Return what the JSON of ``to_json`` says.

    Raises:
        TooLarge: more than 1 MiB.
        Malformed: not this form, an unknown field, a register twice, or a digest of another length.
    """
    value = strictjson.loads(data, limit=MAX_EXPECTED_BYTES, what="list of expected measurements")
    if not isinstance(value, dict) or value.get("type") != TYPE:
        raise _malformed(f'"type": "{TYPE}", as teeproof measure --json prints', "another document")
    return _converted(value)


def _converted(value: Any) -> Expected:
    try:
        found = msgspec.convert(value, Expected, strict=True)
    except msgspec.ValidationError as error:
        raise _malformed("the fields that teeproof measure --json prints", str(error)) from None
    names = [register.name for register in found.registers]
    if len(set(names)) != len(names) or len(names) > MAX_REGISTERS:
        raise _malformed(f"at most {MAX_REGISTERS} registers, each once", f"{len(names)} registers")
    for register in found.registers:
        _check_register(register, size=_BANKS[found.bank])
    return found


def _check_register(register: ExpectedRegister, *, size: int) -> None:
    index = register.name.removeprefix("PCR ")
    numbered = index != register.name and index.isascii() and index.isdigit() and int(index) < 24
    if register.name not in _FIELDS and not (numbered and str(int(index)) == index):
        raise _malformed("the name of a register, such as RTMR1 or PCR 4", register.name[:40])
    if len(register.events) > MAX_EVENTS or len(register.values) > MAX_EVENTS:
        raise _malformed(f"at most {MAX_EVENTS} events and values", register.name)
    digests = [event.digest for event in register.events if event.digest is not None]
    for text in (*register.values, *digests):
        if len(text) != 2 * size or text.strip("0123456789abcdef"):
            raise _malformed(f"digests of {2 * size} lower-case hex digits", text[:130])


def _malformed(expected_form: str, got: str) -> Malformed:
    return Malformed(
        "this is no list of expected measurements: make one with teeproof measure … --json",
        code="expected_malformed",
        expected=expected_form,
        got=got[:200],
    )

"""Parse what a TPM signs when it quotes (TPMS_ATTEST): bytes to fields, every length checked.

A selection of registers names each bank once and ends within 32 registers, so that nobody can make
a verifier hash the same bank a million times.

Source: TCG, TPM Library Part 2, 10.12.8 (TPMS_ATTEST), 10.6.3 (TPML_PCR_SELECTION).

Trusts: nothing; it only reads.  Does not trust: lengths, counts and types in the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.tpm.wire import HASH_NAMES, HASHES, Reader, malformed

__all__ = ["MAX_QUOTE_BYTES", "Clock", "Selection", "TpmQuote", "parse", "parse_selections"]

MAX_QUOTE_BYTES = 1 << 10  # real ones have some 130
MAGIC = 0xFF544347  # TPM_GENERATED_VALUE: only the TPM itself may put it before what it signs
ATTEST_QUOTE = 0x8018  # TPM_ST_ATTEST_QUOTE
MAX_BANKS = 16  # TPM2_NUM_PCR_BANKS of the reference implementation
MAX_SELECT_BYTES = 4  # 32 registers; PC clients have 24
MAX_NAME_BYTES = 2 + 64  # a hash's number and its digest
MAX_DATA_BYTES = 2 + 64  # TPM2B_DATA holds at most what a TPMT_HA does
_YES_NO = {0: False, 1: True}


@dataclass(frozen=True, slots=True)
class Selection:
    """Some registers of one bank.

    Attributes:
        bank: the bank's hash, a number of ``wire.HASHES``.
        registers: their numbers, ascending.
    """

    bank: int
    registers: tuple[int, ...]

    @property
    def name(self) -> str:
        """As people write it, such as ``sha256:0,1,7``."""
        return f"{HASH_NAMES[self.bank]}:{','.join(map(str, self.registers))}"


@dataclass(frozen=True, slots=True)
class Clock:
    """The TPM's own clock. Under many keys the TPM blurs the two counts.

    Attributes:
        milliseconds: time the TPM was powered, in all its life.
        reset_count: how often it was reset.
        restart_count: how often the machine woke up since then.
        safe: whether the clock was never set back since the owner was last cleared.
    """

    milliseconds: int
    reset_count: int
    restart_count: int
    safe: bool


@dataclass(frozen=True, slots=True)
class TpmQuote:
    """A TPM 2.0 quote.

    Attributes:
        raw: the bytes that the key signed.
        signer: the signing key's qualified name: a hash's number and a digest.
        extra_data: up to 66 bytes that the caller of the TPM chose (qualifying data).
        clock: the TPM's clock.
        firmware: the firmware's version, 8 bytes as one number; blurred like the clock's counts.
        selections: the registers that the quote covers.
        pcr_digest: digest over their values, in the order of the selections.
    """

    raw: bytes
    signer: bytes
    extra_data: bytes
    clock: Clock
    firmware: int
    selections: tuple[Selection, ...]
    pcr_digest: bytes


def parse(raw: bytes) -> TpmQuote:
    """Return the quote in ``raw``.

    Raises:
        TooLarge: more than ``MAX_QUOTE_BYTES``.
        Malformed: not a TPM 2.0 quote, a length that does not add up, or a bank selected twice.
    """
    if len(raw) > MAX_QUOTE_BYTES:
        raise TooLarge(
            "this is too large for a TPM quote",
            expected=f"at most {MAX_QUOTE_BYTES} bytes",
            got=f"{len(raw)} bytes",
        )
    reader = Reader(raw, what="TPM quote")
    magic = reader.number(4, "magic")
    if magic != MAGIC:
        raise malformed("TPM quote", f"magic {MAGIC:#x}", f"{magic:#x}")
    kind = reader.number(2, "type")
    if kind != ATTEST_QUOTE:
        raise malformed("TPM quote", f"type {ATTEST_QUOTE:#x}, a quote", f"type {kind:#x}")
    signer = reader.sized("qualified signer", most=MAX_NAME_BYTES)
    extra_data = reader.sized("qualifying data", most=MAX_DATA_BYTES)
    clock = _clock(reader)
    firmware = reader.number(8, "firmware version")
    selections = parse_selections(reader)
    pcr_digest = reader.sized("PCR digest", most=64)
    reader.end()
    return TpmQuote(raw, signer, extra_data, clock, firmware, selections, pcr_digest)


def _clock(reader: Reader) -> Clock:
    milliseconds = reader.number(8, "clock")
    resets, restarts = reader.number(4, "reset count"), reader.number(4, "restart count")
    safe = reader.number(1, "clock's safe flag")
    if safe not in _YES_NO:
        raise malformed("TPM quote", "a safe flag of 0 or 1", str(safe))
    return Clock(milliseconds, resets, restarts, _YES_NO[safe])


def parse_selections(reader: Reader) -> tuple[Selection, ...]:
    """Return the registers that a TPML_PCR_SELECTION names; each bank stands there once."""
    count = reader.number(4, "number of PCR banks")
    if count > MAX_BANKS:
        raise malformed("PCR selection", f"at most {MAX_BANKS} banks", f"{count} banks")
    found: dict[int, Selection] = {}
    for _ in range(count):
        bank = reader.number(2, "PCR bank")
        if bank not in HASHES:
            raise malformed("PCR selection", "banks of SHA-1 or SHA-2", f"algorithm {bank:#x}")
        if bank in found:
            raise Malformed(
                "the PCR selection names a bank twice, so that the same registers would be hashed "
                "again and again: no TPM answers so",
                code="pcr_selection_duplicated",
                expected="each bank once",
                got=f"{HASH_NAMES[bank]} again",
            )
        found[bank] = Selection(bank, _registers(reader))
    return tuple(found.values())


def _registers(reader: Reader) -> tuple[int, ...]:
    size = reader.number(1, "size of a PCR bit map")
    if not 1 <= size <= MAX_SELECT_BYTES:
        raise malformed("PCR selection", f"1 to {MAX_SELECT_BYTES} bytes of bits", f"{size} bytes")
    bits = int.from_bytes(reader.take(size, "PCR bit map"), "little")
    return tuple(index for index in range(8 * size) if bits >> index & 1)

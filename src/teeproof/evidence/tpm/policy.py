"""What a relying party expects of a TPM, as a plain record: one field per expectation.

What is not set is not checked, and the verdict says so. In a policy file these fields form a table
of their own, ``[tpm]``; it is read strictly, so a spelling mistake never makes a weaker policy.

Trusts: whoever wrote the policy.  Does not trust: the evidence; nothing here comes from it.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from teeproof.evidence.policy_forms import wrong
from teeproof.evidence.tpm.wire import HASH_NAMES, HASHES

__all__ = ["PcrValues", "TpmPolicy"]

_NAMED = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_SIZES = {name: HASHES[bank] for bank, name in HASH_NAMES.items()}
MAX_PCR = 23  # PC Client Platform TPM Profile 1.05, 4.6: 24 registers


class PcrValues(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The values that one register may have.

    Attributes:
        bank: the register's bank. Of SHA-1 alone nothing is believed.
        pcr: the register's number, 0 to 23.
        values: any of these digests, hex.
    """

    bank: Literal["sha256", "sha384", "sha512"]
    pcr: int
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse what could never be met; Usage names the register."""
        if not 0 <= self.pcr <= MAX_PCR:
            raise wrong(f"tpm.pcrs: pcr must be a number from 0 to {MAX_PCR}, got {self.pcr}")
        if isinstance(self.values, str | list):
            raise wrong("tpm.pcrs: values must be a tuple")
        size = _SIZES[self.bank]
        for value in self.values:
            if len(value) != 2 * size or value.strip("0123456789abcdef"):
                raise wrong(
                    f"tpm.pcrs: {self.bank} values are {2 * size} lower-case hex digits,"
                    f" got {value[:140]!r}"
                )


class TpmPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A relying party's expectations of a TPM.

    Attributes:
        roots: fingerprints (``sha256:…``) of the roots of a TPM's keys that stands beside another
            machine's quote. Of a TPM alone the policy's own ``roots`` count.
        keys: fingerprints of attestation keys that you enrolled yourself, by a challenge that only
            the TPM could answer (``tpm.credential``). They need no certificate.
        pcrs: what registers must hold; each of them must be quoted.
    """

    roots: tuple[str, ...] = ()
    keys: tuple[str, ...] | None = None
    pcrs: tuple[PcrValues, ...] | None = None

    def __post_init__(self) -> None:
        """Check forms, however the policy was made; Usage names the field."""
        for field in ("roots", "keys"):
            value = getattr(self, field)
            if isinstance(value, str | list):
                raise wrong(f"tpm.{field} must be a tuple")
            for text in value or ():
                if not _NAMED.fullmatch(text):
                    raise wrong(
                        f"tpm.{field} are written sha256:<64 hex digits>, got {text[:100]!r}"
                    )
        registers = [(each.bank, each.pcr) for each in self.pcrs or ()]
        if len(set(registers)) != len(registers):
            raise wrong("tpm.pcrs names a register twice: put all of its values into one entry")
        if self.pcrs == ():
            raise wrong("tpm.pcrs lists no register, so it would expect nothing: leave it out")

    @property
    def expects(self) -> bool:
        """Whether it expects anything that only a TPM can show."""
        return self.pcrs is not None

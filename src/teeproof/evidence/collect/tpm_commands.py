"""The few commands of a TPM 2.0 that attestation needs, as bytes, and their answers.

Source: TCG, TPM Library Part 3: Commands; Part 2 for codes, handles and attributes.

Trusts: nothing; an answer is bytes until a quote proves it.  Does not trust: the TPM.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from teeproof.core.errors import Malformed, Unavailable
from teeproof.evidence.collect.tpm_device import Channel
from teeproof.evidence.tpm.pcrs import Banks
from teeproof.evidence.tpm.quote import Selection, parse_selections
from teeproof.evidence.tpm.wire import NULL, SHA256, Reader, sized

__all__ = [
    "ENDORSEMENT",
    "OWNER",
    "Tpm",
    "ecc_ak_template",
    "rsa_ak_template",
    "rsa_ek_template",
    "selection_bytes",
]

OWNER, ENDORSEMENT = 0x40000001, 0x4000000B
_PASSWORD = 0x40000009  # TPM_RS_PW: the authorization by a password, which is empty here
_NO_SESSIONS, _SESSIONS = 0x8001, 0x8002
_SHA256_POLICY_EK = bytes.fromhex(
    # EK Credential Profile 2.6, B.6.2: PolicySecret of the endorsement hierarchy.
    "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
)
# Part 2, 8.3: fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign.
_AK_ATTRIBUTES = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10 | 1 << 16 | 1 << 18
# fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted, decrypt.
_EK_ATTRIBUTES = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 16 | 1 << 17
_WORDS = {
    0x101: "it is in failure mode: restart the machine",
    0x120: "the command is disabled on it",
    0x921: "it locked itself against guessing: wait, or reset its lockout",
    0x922: "it asks to try again later",
    0x9A2: "its hierarchy has a password, and none was given",
    0x98E: "its hierarchy has a password, and none was given",
    0x185: "its hierarchy is disabled",
    0x18B: "it knows no such object",
    0x28B: "it knows no such object",
    0x902: "it has no room for another object: something holds too many",
}

_CREATE_PRIMARY, _QUOTE, _PCR_READ, _PCR_EXTEND = 0x131, 0x158, 0x17E, 0x182
_FLUSH, _CAPABILITY, _START_SESSION = 0x165, 0x17A, 0x176
_POLICY_SECRET, _ACTIVATE, _READ_PUBLIC, _NV_PUBLIC, _NV_READ = 0x151, 0x147, 0x173, 0x169, 0x14E
_CAP_PCRS = 5
_PIECE = 512  # bytes of one read of NV memory; TPMs allow at least as many
MAX_NV_BYTES = 16 << 10


def _n(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


def ecc_ak_template() -> bytes:
    """Return the template (TPM2B_PUBLIC) of an attestation key on P-256: ECDSA with SHA-256."""
    head, tail = _words((0x23, SHA256)), _words((NULL, 0x18, SHA256, 0x3, NULL))
    return sized(head + _n(_AK_ATTRIBUTES, 4) + sized(b"") + tail + sized(b"") + sized(b""))


def rsa_ak_template() -> bytes:
    """Return the template (TPM2B_PUBLIC) of an attestation key of RSA-2048: RSASSA, SHA-256."""
    head, tail = _words((0x1, SHA256)), _words((NULL, 0x14, SHA256, 2048)) + _n(0, 4)
    return sized(head + _n(_AK_ATTRIBUTES, 4) + sized(b"") + tail + sized(b""))


def rsa_ek_template() -> bytes:
    """Return the template of the endorsement key of RSA-2048 (EK Credential Profile, L-1)."""
    head = _words((0x1, SHA256)) + _n(_EK_ATTRIBUTES, 4) + sized(_SHA256_POLICY_EK)
    tail = _words((0x6, 128, 0x43, NULL, 2048)) + _n(0, 4)  # AES-128 in CFB mode
    return sized(head + tail + sized(bytes(256)))


def _words(numbers: Iterable[int]) -> bytes:
    return b"".join(_n(number, 2) for number in numbers)


def selection_bytes(selections: Sequence[Selection]) -> bytes:
    """Return a TPML_PCR_SELECTION of registers 0 to 23."""
    out = _n(len(selections), 4)
    for one in selections:
        bits = sum(1 << register for register in one.registers)
        out += _n(one.bank, 2) + b"\x03" + bits.to_bytes(3, "little")
    return out


class Tpm:
    """A TPM, by the commands that it takes."""

    def __init__(self, channel: Channel, *, name: str) -> None:
        self._channel, self._name = channel, name

    def create_primary(self, template: bytes, *, hierarchy: int) -> tuple[int, bytes]:
        """Make a primary key, the same one at each call; return handle and TPM2B_PUBLIC."""
        sensitive = sized(sized(b"") + sized(b""))
        body = sensitive + template + sized(b"") + _n(0, 4)
        reader = self._ask(_CREATE_PRIMARY, [hierarchy], body, what="to make a key")
        handle = reader.number(4, "handle")
        reader.number(4, "size of parameters")
        return handle, sized(reader.sized("public key", most=1024))

    def flush(self, handle: int) -> None:
        """Forget a key or a session."""
        self._ask(_FLUSH, [], _n(handle, 4), what="to forget a key", authorized=False)

    def quote(
        self, key: int, data: bytes, *, selections: Sequence[Selection]
    ) -> tuple[bytes, bytes]:
        """Return TPMS_ATTEST and TPMT_SIGNATURE over registers and up to 64 bytes of data."""
        body = sized(data) + _n(NULL, 2) + selection_bytes(selections)
        reader = self._ask(_QUOTE, [key], body, what="for a quote")
        size = reader.number(4, "size of parameters")
        attest = reader.sized("quote", most=1024)
        return attest, reader.take(size - 2 - len(attest), "signature")

    def banks(self) -> tuple[Selection, ...]:
        """Return the registers that exist, by bank; banks without any are left out."""
        body = _n(_CAP_PCRS, 4) + _n(0, 4) + _n(1, 4)
        reader = self._ask(_CAPABILITY, [], body, what="for its registers", authorized=False)
        reader.take(5, "capability")
        return tuple(one for one in parse_selections(reader) if one.registers)

    def read_pcrs(self, selections: Sequence[Selection]) -> Banks:
        """Return the registers' values; a TPM gives a few at a time."""
        values: dict[int, dict[int, bytes]] = {one.bank: {} for one in selections}
        wanted = list(selections)
        while wanted:
            reader = self._ask(
                _PCR_READ, [], selection_bytes(wanted), what="for registers", authorized=False
            )
            reader.number(4, "update counter")
            given = parse_selections(reader)
            count = reader.number(4, "number of values")
            places = [(one.bank, index) for one in given for index in one.registers]
            if not places or count != len(places):
                raise self._malformed(f"{len(places)} values", str(count))
            for bank, index in places:
                values.setdefault(bank, {})[index] = reader.sized("value", most=64)
            wanted = [
                Selection(one.bank, left)
                for one in wanted
                if (left := tuple(i for i in one.registers if i not in values[one.bank]))
            ]
        return values

    def extend(self, register: int, digests: dict[int, bytes]) -> None:
        """Extend a register by these digests, one for each bank."""
        body = _n(len(digests), 4) + b"".join(_n(bank, 2) + d for bank, d in digests.items())
        self._ask(_PCR_EXTEND, [register], body, what="to extend a register")

    def read_public(self, handle: int) -> bytes:
        """Return the TPM2B_PUBLIC of a key that the TPM holds, such as a cloud's."""
        reader = self._ask(
            _READ_PUBLIC, [handle], b"", what=f"for key {handle:#x}", authorized=False
        )
        return sized(reader.sized("public key", most=1024))

    def read_nv(self, index: int) -> bytes:
        """Return what stands at an index of its memory, such as a certificate."""
        what = f"for what stands at {index:#x}"
        reader = self._ask(_NV_PUBLIC, [index], b"", what=what, authorized=False)
        public = reader.sized("index", most=256)
        size = int.from_bytes(public[-2:], "big")
        if size > MAX_NV_BYTES:
            raise self._malformed(f"at most {MAX_NV_BYTES} bytes", f"{size} bytes")
        found = b""
        while len(found) < size:
            piece = _n(min(_PIECE, size - len(found)), 2) + _n(len(found), 2)
            reader = self._ask(_NV_READ, [index, index], piece, what=what)
            reader.number(4, "size of parameters")
            part = reader.sized("data", most=_PIECE)
            if not part:
                raise self._malformed(f"{size} bytes", f"{len(found)} bytes")
            found += part
        return found

    def activate(self, key: int, endorsement: int, *, blob: bytes, secret: bytes) -> bytes:
        """Answer a challenge (``tpm.credential``): only a TPM with both keys can."""
        session = self._policy_session()
        try:
            handles = _n(_ACTIVATE, 4) + _n(key, 4) + _n(endorsement, 4)
            areas = _password() + _authorization(session)
            command = handles + _n(len(areas), 4) + areas + blob + secret
            reader = self._exchange(_SESSIONS, command, what="to answer a challenge")
            reader.number(4, "size of parameters")
            return reader.sized("answer", most=64)
        finally:
            self._drop(session)

    def _drop(self, session: int) -> None:
        try:
            self.flush(session)
        except Unavailable:
            return  # it ended with the command that it was for

    def _policy_session(self) -> int:
        nobody = _n(0x40000007, 4) * 2  # TPM_RH_NULL: neither salted nor bound
        body = sized(bytes(16)) + sized(b"") + b"\x01" + _n(NULL, 2) + _n(SHA256, 2)
        reader = self._exchange(
            _NO_SESSIONS, _n(_START_SESSION, 4) + nobody + body, what="for a session"
        )
        session = reader.number(4, "session")
        body = sized(b"") * 3 + _n(0, 4)
        self._ask(_POLICY_SECRET, [ENDORSEMENT, session], body, what="for a session")
        return session

    def _ask(
        self,
        code: int,
        handles: Sequence[int],
        body: bytes,
        *,
        what: str,
        authorized: bool = True,
    ) -> Reader:
        """Send a command whose first handle, if any, is authorized by an empty password."""
        command = _n(code, 4) + b"".join(_n(handle, 4) for handle in handles)
        if not authorized:
            return self._exchange(_NO_SESSIONS, command + body, what=what)
        area = _password()
        return self._exchange(_SESSIONS, command + _n(len(area), 4) + area + body, what=what)

    def _exchange(self, tag: int, command: bytes, *, what: str) -> Reader:
        answer = self._channel(_n(tag, 2) + _n(6 + len(command), 4) + command)
        code = int.from_bytes(answer[6:10], "big")
        if code:
            raise self._refused(what, code)
        return Reader(answer[10:], what=f"answer of the TPM at {self._name}")

    def _refused(self, what: str, code: int) -> Unavailable:
        words = _WORDS.get(code) or "look its code up in TCG's Part 2"
        return Unavailable(
            f"the TPM at {self._name} was asked {what} and refused: {words}",
            code="tpm_error",
            expected="response code 0",
            got=f"response code {code:#x}",
        )

    def _malformed(self, expected: str, got: str) -> Malformed:
        return Malformed(
            f"the TPM at {self._name} gave an answer that cannot be used",
            code="tpm_malformed",
            expected=expected,
            got=got,
        )


def _password() -> bytes:
    return _authorization(_PASSWORD)


def _authorization(session: int) -> bytes:
    return _n(session, 4) + sized(b"") + b"\x01" + sized(b"")

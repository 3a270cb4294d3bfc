"""Say what happened to a segment that does not authenticate: cut, moved, extended, or changed.

A tag only says no. But whoever holds the key can try what else the segment may be: if it holds
under another number, it was moved; if only its mark as the last one differs, the file was cut or
extended at a segment's end. What fits nothing was changed, or comes from another file. The answer
is help for people: no plaintext is released, whichever it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from teeproof.core.errors import NotAuthentic
from teeproof.core.sealed.segments import SEGMENT, TAG, PayloadKey

__all__ = ["diagnose"]

_NEAR = 256  # segments before and behind that are tried: a tenth of a second, once


def diagnose(key: PayloadKey, index: int, data: memoryview, *, last: bool) -> NotAuthentic:
    """Return the error for the ciphertext of a segment that does not hold as number ``index``.

    Its code is ``payload_truncated``, ``payload_extended``, ``segment_moved``,
    ``last_segment_not_authentic`` or ``segment_not_authentic``.
    """
    scratch = memoryview(bytearray(max(0, len(data) - TAG)))
    if key.decrypt_into(index, data, scratch, last=not last):
        return _cut(index) if last else _extended(index)
    for other in _near(index):
        if any(key.decrypt_into(other, data, scratch, last=flag) for flag in (False, True)):
            return _moved(index, other)
    return _changed(index, last)


def _near(index: int) -> Iterator[int]:
    for distance in range(1, _NEAR + 1):
        yield index + distance
        if index >= distance:
            yield index - distance


def _cut(index: int) -> NotAuthentic:
    return NotAuthentic(
        "the file was cut short at the end of a segment: get it again",
        code="payload_truncated",
        expected=f"more segments behind number {index}",
        got="the end of the file",
    )


def _extended(index: int) -> NotAuthentic:
    return NotAuthentic(
        "bytes follow what was sealed: the file was extended; get it again",
        code="payload_extended",
        expected=f"the end of the file behind segment {index}",
        got="more",
    )


def _moved(index: int, other: int) -> NotAuthentic:
    return NotAuthentic(
        "segments of this file were reordered, repeated or left out: get it again",
        code="segment_moved",
        expected=f"segment {index}",
        got=f"segment {other}",
    )


def _changed(index: int, last: bool) -> NotAuthentic:
    if last:
        return NotAuthentic(
            "the last segment does not hold: the file was cut short, extended or changed; get it"
            " again",
            code="last_segment_not_authentic",
            expected=f"segment {index} as it was sealed",
        )
    return NotAuthentic(
        f"segment {index} does not hold: it was changed, or comes from another file; get it again",
        code="segment_not_authentic",
        expected=f"bytes {index * SEGMENT} to {(index + 1) * SEGMENT} of the payload as sealed",
    )

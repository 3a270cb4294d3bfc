"""What can be done to a sealed file by somebody who holds it, and how each is answered."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from teeproof.core.errors import Error, Malformed, NotAllowed, NotAuthentic
from teeproof.core.sealed import DataKey, open_sealed, parse_header, unwrap_key
from teeproof.core.sealed.header import Wrapped
from teeproof.core.sealed.keys import make_header
from teeproof.core.sealed.segments import FIRST_PLAIN, PAYLOAD_HEADER, PLAIN, SEGMENT, PayloadKey
from tests.core.sealed.scenes import ALICE, BOB, EVE, POLICY, Parts, opened, plain, sealed

DATA = plain(FIRST_PLAIN + 3 * PLAIN + 1000)  # four full segments, and one of 1,016 bytes
FILE = sealed(DATA, [ALICE, BOB], policy_digest=POLICY)
OTHER = sealed(plain(len(DATA), "other"), [ALICE, BOB], policy_digest=POLICY)
GOOD, FOREIGN = Parts.of(FILE), Parts.of(OTHER)


def refusal(data: bytes, key=ALICE) -> Error:
    """Return the one error with which a stream is refused, on one core and on two."""
    errors = []
    for threads in (1, 2):
        with pytest.raises(Error) as caught:
            opened(data, key=key, threads=threads)
        errors.append(caught.value)
    assert errors[0].to_json() == errors[1].to_json()
    return errors[0]


def reordered(*numbers: int) -> bytes:
    return GOOD.with_(segments=tuple(GOOD.segments[n] for n in numbers)).encode()


def test_the_file_that_nobody_touched_opens():
    assert opened(FILE) == opened(FILE, key=BOB) == DATA
    assert GOOD.encode() == FILE
    assert [len(s) for s in GOOD.segments] == [SEGMENT - PAYLOAD_HEADER, *[SEGMENT] * 3, 1016]


@pytest.mark.parametrize("kept", [1, 2, 3, 4])
def test_host_truncates_at_the_end_of_a_segment(kept):
    error = refusal(reordered(*range(kept)))
    assert (type(error), error.code) == (NotAuthentic, "payload_truncated")
    assert str(kept - 1) in (error.expected or "")


@pytest.mark.parametrize("missing", [1, 500, 999])
def test_host_truncates_inside_the_last_segment(missing):
    error = refusal(FILE[:-missing])
    assert (type(error), error.code) == (NotAuthentic, "last_segment_not_authentic")


@pytest.mark.parametrize("left", [1, 15, 16])
def test_host_truncates_inside_a_tag(left):
    error = refusal(FILE[: len(FILE) - 1016 + left])
    assert (type(error), error.code) == (Malformed, "payload_truncated")


@pytest.mark.parametrize("left", [0, 1, 39, 40, 55])
def test_host_truncates_behind_the_header(left):
    error = refusal(GOOD.header.encode() + FILE[len(GOOD.header.encode()) :][:left])
    assert (type(error), error.code) == (Malformed, "payload_truncated")


def test_host_truncates_an_empty_file_s_segment():
    assert refusal(sealed(b"")[:-1]).code == "payload_truncated"


@pytest.mark.parametrize(
    ("order", "expected", "got"),
    [
        ((0, 2, 1, 3, 4), "segment 1", "segment 2"),
        ((0, 1, 1, 2, 3, 4), "segment 2", "segment 1"),
        ((0, 1, 3, 4), "segment 2", "segment 3"),
        ((0, 1, 2, 4), "segment 3", "segment 4"),
        ((0, 1, 2, 3, 3, 4), "segment 4", "segment 3"),
    ],
    ids=["reordered", "duplicated", "dropped", "dropped before the last", "repeated before it"],
)
def test_host_reorders_duplicates_or_drops_segments(order, expected, got):
    error = refusal(reordered(*order))
    assert error.code == "segment_moved"
    assert (error.expected, error.got) == (expected, got)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_host_takes_a_segment_from_another_file_for_the_same_recipients(number):
    segments = list(GOOD.segments)
    segments[number] = FOREIGN.segments[number]
    assert refusal(GOOD.with_(segments=tuple(segments)).encode()).code == "segment_not_authentic"


def test_host_swaps_the_last_segment_for_that_of_another_file():
    segments = (*GOOD.segments[:-1], FOREIGN.segments[-1])
    error = refusal(GOOD.with_(segments=segments).encode())
    assert error.code == "last_segment_not_authentic"


def test_host_swaps_the_whole_payload_for_that_of_another_file():
    assert refusal(FOREIGN.with_(header=GOOD.header).encode()).code == "segment_not_authentic"


def test_host_swaps_the_payload_s_salt():
    swapped = GOOD.with_(payload_header=FOREIGN.payload_header)
    assert refusal(swapped.encode()).code == "segment_not_authentic"


@pytest.mark.parametrize("extra", [b"\0", bytes(16), bytes(1000)], ids=len)
def test_host_appends_bytes_to_the_last_segment(extra):
    assert refusal(FILE + extra).code == "last_segment_not_authentic"


def test_host_appends_bytes_behind_a_full_last_segment():
    full = sealed(plain(FIRST_PLAIN + PLAIN))
    for extra in (1, 16):
        assert refusal(full + bytes(extra)).code in ("payload_extended", "payload_truncated")
    assert refusal(full + bytes(17)).code == "payload_extended"
    assert refusal(full + Parts.of(full).segments[1]).code == "payload_extended"


def test_host_drops_a_recipient():
    for kept in GOOD.header.recipients:
        key = ALICE if kept.recipient == ALICE.public.digest else BOB
        header = replace(GOOD.header, recipients=(kept,))
        assert refusal(GOOD.with_(header=header).encode(), key).code == "header_not_authentic"


def test_host_adds_a_recipient_from_a_file_for_both():
    foreign = make_header([EVE.public])[0].recipients
    entries = tuple(sorted(GOOD.header.recipients + foreign, key=lambda e: e.recipient))
    header = replace(GOOD.header, recipients=entries)
    added = GOOD.with_(header=header).encode()
    assert refusal(added).code == "header_not_authentic"
    assert refusal(added, EVE).code == "wrapped_key_not_authentic"


def test_host_takes_the_whole_header_of_another_file():
    assert refusal(GOOD.with_(header=FOREIGN.header).encode()).code == "segment_not_authentic"


@pytest.mark.parametrize("policy", [None, bytes(32), b"p" * 32], ids=["none", "zeros", "other"])
def test_host_swaps_the_policy(policy):
    header = replace(GOOD.header, policy_digest=policy)
    changed = GOOD.with_(header=header).encode()
    assert refusal(changed).code == "wrapped_key_not_authentic"
    assert refusal(changed, unwrap_key(GOOD.header, ALICE)).code == "header_not_authentic"


def test_host_swaps_the_file_id():
    changed = GOOD.with_(header=replace(GOOD.header, file_id=FOREIGN.header.file_id)).encode()
    assert refusal(changed).code == "wrapped_key_not_authentic"
    assert refusal(changed, unwrap_key(GOOD.header, ALICE)).code == "header_not_authentic"


def test_host_changes_the_header_s_tag():
    header = replace(GOOD.header, tag=bytes(32))
    assert refusal(GOOD.with_(header=header).encode()).code == "header_not_authentic"


def test_host_takes_a_wrapped_key_from_another_file():
    header = replace(GOOD.header, recipients=FOREIGN.header.recipients)
    assert refusal(GOOD.with_(header=header).encode()).code == "wrapped_key_not_authentic"


def test_host_sends_a_point_of_low_order_as_encapsulation():
    entries = tuple(
        Wrapped(e.suite, e.recipient, bytes(len(e.wrapped) - 48) + e.wrapped[-48:])
        for e in GOOD.header.recipients
    )
    changed = GOOD.with_(header=replace(GOOD.header, recipients=entries)).encode()
    for key in (ALICE, BOB):
        assert refusal(changed, key).code == "wrapped_key_not_authentic"


def test_stranger_opens_a_file_that_is_sealed_for_others():
    error = refusal(FILE, EVE)
    assert (type(error), error.code) == (NotAllowed, "not_a_recipient")
    for key in (ALICE, BOB):
        assert key.public.digest.hex()[:16] in (error.expected or "")
    assert EVE.public.digest.hex()[:16] in (error.got or "")


def test_contributor_shows_two_recipients_two_plaintexts_of_one_file():
    """Wrap another data key for each recipient: only one of them can fit the header's tag."""
    first, second = DataKey(b"1" * 32), DataKey(b"2" * 32)
    header, _ = make_header([ALICE.public, BOB.public], random=bytes)
    entries = []
    for keys in (first, second):
        made, _ = make_header(
            [ALICE.public, BOB.public],
            random=lambda size, keys=keys: keys.secret if size == 32 else bytes(size),
        )
        entries.append({e.recipient: e for e in made.recipients})
    mixed = replace(
        header,
        recipients=tuple(
            entries[e.recipient == BOB.public.digest][e.recipient] for e in header.recipients
        ),
    )
    tagged = replace(mixed, tag=first.tag(mixed.untagged))
    assert unwrap_key(tagged, ALICE) == first
    with pytest.raises(NotAuthentic) as caught:
        unwrap_key(tagged, BOB)
    assert caught.value.code == "header_not_authentic"


def test_recipient_can_forge_for_the_others_as_the_docs_say():
    """No attack that is answered, but one that is told: recipients share the data key."""
    data_key = unwrap_key(GOOD.header, BOB)
    payload = PayloadKey.new(data_key=data_key.secret, associated_data=GOOD.header.associated_data)
    forged = bytearray(6 + 16)
    payload.encrypt_into(0, b"forged", forged, last=True)
    assert opened(GOOD.header.encode() + payload.header + forged, key=ALICE) == b"forged"


@settings(max_examples=60)
@given(at=st.integers(0, 1300), bit=st.integers(0, 7))
@example(at=0, bit=0)
def test_no_bit_of_a_small_file_can_be_flipped(at, bit):
    data = bytearray(SMALL)
    data[at % len(data)] ^= 1 << bit
    for opening in (lambda: opened(bytes(data)), lambda: read(bytes(data))):
        with pytest.raises(Error):
            opening()


SMALL = sealed(b"a small file", [ALICE, BOB], policy_digest=POLICY)


def read(data: bytes) -> bytes:
    with open_sealed(io.BytesIO(data), key=ALICE) as reader:
        return reader.read()


def test_nothing_behind_the_first_bad_segment_is_released():
    segments = list(GOOD.segments)
    segments[2] = segments[2][:-1] + bytes([segments[2][-1] ^ 1])
    target = io.BytesIO()
    from teeproof.core.sealed import open_stream

    data = GOOD.with_(segments=tuple(segments)).encode()
    with pytest.raises(NotAuthentic) as caught:
        open_stream(io.BytesIO(data), target, key=ALICE)
    assert caught.value.code == "segment_not_authentic"
    assert target.getvalue() == DATA[: FIRST_PLAIN + PLAIN]


def test_every_edit_of_a_header_changes_the_associated_data():
    header = GOOD.header
    seen = {parse_header(header.encode()).associated_data}
    for change in ({"policy_digest": None}, {"file_id": bytes(16)}, {"tag": bytes(32)}):
        seen.add(replace(header, **change).associated_data)
    seen.add(replace(header, recipients=header.recipients[:1]).associated_data)
    assert len(seen) == 5

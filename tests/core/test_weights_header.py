"""The header of a safetensors file: what is accepted, the library accepts, and sees the same."""

from __future__ import annotations

import json

import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, TooLarge
from teeproof.core.weights import DTYPES, parse_layout, read_layout

TWO = {
    "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
    "b": {"dtype": "BF16", "shape": [3], "data_offsets": [16, 22]},
}


def file_of(header, size, *, pad=0) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * pad
    return len(text).to_bytes(8, "little") + text + bytes(size)


def layout_of(data: bytes):
    length = int.from_bytes(data[:8], "little")
    return parse_layout(data[8 : 8 + length], file_size=len(data))


def test_tensors_are_found_where_the_library_finds_them(tmp_path):
    import torch
    from safetensors.torch import save_file

    given_ = {
        "x": torch.arange(6, dtype=torch.float32).reshape(2, 3),
        "y.weight": torch.tensor(7, dtype=torch.int64),
        "half": torch.ones(4, dtype=torch.bfloat16),
        "none": torch.zeros(0, 5),
    }
    path = tmp_path / "model.safetensors"
    save_file(given_, path, metadata={"format": "pt"})
    data = path.read_bytes()
    with path.open("rb") as file:
        layout = read_layout(file.fileno())
    assert layout.metadata == {"format": "pt"}
    for place in layout.tensors:
        tensor = given_[place.name]
        assert tuple(tensor.shape) == place.shape
        assert data[place.start : place.end] == bytes(tensor.reshape(-1).view(torch.uint8))
    assert {place.name for place in layout.tensors} == set(given_)


def test_a_header_may_name_its_tensors_in_any_order_and_be_filled_up_with_spaces():
    straight = layout_of(file_of(TWO, 22))
    turned = layout_of(file_of(dict(reversed(TWO.items())), 22))
    assert straight == turned
    assert [place.name for place in layout_of(file_of(TWO, 22, pad=5)).tensors] == ["a", "b"]


def changed(**fields):
    return TWO | {"b": TWO["b"] | fields}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(file_of(TWO, 23), id="a byte behind the last tensor"),
        pytest.param(file_of(TWO, 21), id="a byte short"),
        pytest.param(file_of(changed(data_offsets=[17, 23]), 23), id="a hole"),
        pytest.param(file_of(changed(data_offsets=[15, 21]), 21), id="an overlap"),
        pytest.param(file_of(changed(data_offsets=[22, 16]), 22), id="an end before its start"),
        pytest.param(file_of(changed(data_offsets=[16, 22, 22]), 22), id="three offsets"),
        pytest.param(file_of(changed(data_offsets=[16.0, 22]), 22), id="an offset with a fraction"),
        pytest.param(file_of(changed(data_offsets=[True, 22]), 22), id="an offset that is true"),
        pytest.param(file_of(changed(shape=[2]), 22), id="another shape than its bytes"),
        pytest.param(file_of(changed(shape=[-3]), 22), id="a negative dimension"),
        pytest.param(file_of(changed(shape="3"), 22), id="a shape that is text"),
        pytest.param(file_of(changed(dtype="F33"), 22), id="an unknown type"),
        pytest.param(file_of(changed(dtype=["F32"]), 22), id="a type that is a list"),
        pytest.param(file_of(changed(note=1), 22), id="an unknown field"),
        pytest.param(file_of({"a": {"dtype": "F32"}}, 0), id="fields left out"),
        pytest.param(file_of(TWO | {"__metadata__": {"a": 1}}, 22), id="metadata with a number"),
        pytest.param(file_of(TWO | {"__metadata__": None}, 22), id="metadata that is null"),
        pytest.param(file_of([], 0), id="a list"),
        pytest.param(file_of(b' {"__metadata__":{}}', 0), id="a space before the header"),
        pytest.param(
            file_of(b'{"z":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}', 0), id="minus zero"
        ),
        pytest.param(
            file_of(b'{"z":{"dtype":"U8","shape":[9007199254740991,9007199254740991,0],'
                    b'"data_offsets":[0,0]}}', 0), id="a product that overflows",
        ),
        pytest.param(
            file_of(b'{"z":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
                    b'"z":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1), id="a name twice",
        ),
    ],
)  # fmt: skip
def test_a_header_that_does_not_account_for_each_byte_once_is_refused(data):
    with pytest.raises(Malformed):
        layout_of(data)


def test_a_header_beyond_its_bound_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes((1 << 60).to_bytes(8, "little") + bytes(100))
    with path.open("rb") as file, pytest.raises(TooLarge) as refusal:
        read_layout(file.fileno())
    assert refusal.value.got == f"{1 << 60} bytes"
    path.write_bytes((200).to_bytes(8, "little") + bytes(100))
    with path.open("rb") as file, pytest.raises(Malformed) as short:
        read_layout(file.fileno())
    assert short.value.got == "a header of 200 bytes in a file of 108"
    path.write_bytes(b"\0\0\0")
    with path.open("rb") as file, pytest.raises(Malformed):
        read_layout(file.fileno())
    with pytest.raises(TooLarge):
        parse_layout(b"{" + b" " * (1 << 20) + b"}", file_size=8 + (1 << 20) + 2)


NUMBERS = st.integers(-2, 24) | st.sampled_from([0, 4, 8, 16, 2**53, 2**64, 1.0, True, None, "4"])
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from([*DTYPES, "F4", "f32", 4]),
        "shape": st.lists(NUMBERS, max_size=3),
        "data_offsets": st.lists(NUMBERS, min_size=1, max_size=3),
    },
    optional={"more": st.just(1)},
)
HEADERS = st.dictionaries(
    st.sampled_from(["a", "b", "ü", "__metadata__", ""]), ENTRY | st.just({}), max_size=3
)
FITTING = st.lists(
    st.tuples(st.sampled_from(sorted(DTYPES)), st.lists(st.integers(0, 3), max_size=3))
)


@given(HEADERS, st.integers(0, 40))
def test_whatever_is_accepted_the_library_accepts_too(header, size):
    data = file_of(header, size)
    try:
        layout = layout_of(data)
    except Malformed:
        return
    read = dict(safetensors.deserialize(data))
    assert {p.name: (p.dtype, list(p.shape)) for p in layout.tensors} == {
        name: (info["dtype"], info["shape"]) for name, info in read.items()
    }


@given(FITTING)
def test_what_fits_is_accepted_and_read_as_the_library_reads_it(parts):
    header, end = {}, 0
    for number, (dtype, shape) in enumerate(parts):
        size = DTYPES[dtype]
        for dimension in shape:
            size *= dimension
        header[str(number)] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    data = file_of(header, end)
    read = dict(safetensors.deserialize(data))
    for place in layout_of(data).tensors:
        assert read[place.name]["data"] == data[place.start : place.end]
    assert len(read) == len(parts)

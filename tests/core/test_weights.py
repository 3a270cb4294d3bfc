"""A model's digest: the same however it is written, another for every byte that acts."""

from __future__ import annotations

import hashlib
import json
import os

import blake3
import pytest

from teeproof.core.errors import Malformed, TooLarge, Unavailable, Usage
from teeproof.core.weights import BESIDE, differences, digest_model, load_model

TENSORS = {
    "embed": ("F32", [4, 2], bytes(range(32))),
    "layers.0.q": ("BF16", [2, 2], b"\1\2\3\4\5\6\7\x08"),
    "layers.0.scale": ("F32", [], b"\0\0\x80?"),
    "none": ("U8", [0], b""),
}
OTHERS = {"config.json": b'{"model_type":"llama"}', "tokenizer.json": b"{}"}


def packed(tensors, *, metadata=None, order=None) -> bytes:
    """A safetensors file; ``order`` is that of the header's keys."""
    header, data = {}, b""
    for name, (dtype, shape, raw) in tensors.items():
        offsets = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        data += raw
    if metadata is not None:
        header["__metadata__"] = metadata
    text = json.dumps({name: header[name] for name in order or header}).encode()
    return len(text).to_bytes(8, "little") + text + data


def write(folder, files):
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def model(tmp_path):
    return write(tmp_path / "model", OTHERS | {"model.safetensors": packed(TENSORS)})


def test_the_root_is_the_digest_of_a_list_that_anybody_can_write_down(model):
    found = digest_model(model)
    sha = {name: hashlib.sha256(raw).hexdigest() for name, (_, _, raw) in TENSORS.items()}
    document = {
        "algorithm": "sha256",
        "files": [[name, hashlib.sha256(data).hexdigest()] for name, data in OTHERS.items()],
        "metadata": [],
        "tensors": [[name, d, shape, sha[name]] for name, (d, shape, _) in TENSORS.items()],
        "type": "urn:teeproof:model:v1",
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    assert found.manifest() == text
    assert found.root == hashlib.sha256(text).digest()
    assert found.name == f"sha256:{found.root.hex()}"
    assert found.tensors[0].digests.blake3 == blake3.blake3(TENSORS["embed"][2]).digest()
    assert found.blake3 == blake3.blake3(found.manifest("blake3")).digest()


def test_how_a_file_is_laid_out_has_no_influence(model, tmp_path):
    root = digest_model(model).root
    turned = dict(reversed(TENSORS.items()))
    for data in (packed(TENSORS, order=sorted(TENSORS, reverse=True)), packed(turned)):
        assert data != (model / "model.safetensors").read_bytes()
        (model / "model.safetensors").write_bytes(data)
        assert digest_model(model).root == root
    assert digest_model(model, threads=1).root == root


def sharded(folder, **changes):
    first, second = "model-00001.safetensors", "model-00002.safetensors"
    parts = {first: ["embed", "none"], second: ["layers.0.q", "layers.0.scale"]}
    places = {tensor: name for name, tensors in parts.items() for tensor in tensors} | changes
    files = {name: packed({t: TENSORS[t] for t in tensors}) for name, tensors in parts.items()}
    index = {"metadata": {"total_size": 44}, "weight_map": places}
    files["model.safetensors.index.json"] = json.dumps(index).encode()
    return write(folder, OTHERS | files)


def test_a_model_in_several_files_has_the_root_of_the_model_in_one(model, tmp_path):
    assert digest_model(sharded(tmp_path / "sharded")).root == digest_model(model).root


def test_host_gives_an_index_that_leaves_a_tensor_out_or_moves_it(tmp_path):
    for name, place in (("embed", "model-00002.safetensors"), ("more", "model-00001.safetensors")):
        with pytest.raises(Malformed) as refusal:
            digest_model(sharded(tmp_path / name, **{name: place}))
        assert refusal.value.code == "weights_index_mismatch"
    folder = sharded(tmp_path / "third")
    (folder / "third.safetensors").write_bytes(packed({}))
    with pytest.raises(Usage) as usage:
        digest_model(folder)
    assert usage.value.code == "not_a_model"
    (folder / "third.safetensors").unlink()
    (folder / "model-00001.safetensors").write_bytes(packed({}))
    with pytest.raises(Malformed, match="embed"):
        digest_model(folder)
    (folder / "model.safetensors.index.json").write_bytes(b"[]")
    with pytest.raises(Malformed, match="in which file"):
        digest_model(folder)


def test_host_puts_one_tensor_into_two_files(tmp_path):
    folder = sharded(tmp_path / "model")
    both = {t: TENSORS[t] for t in ("embed", "layers.0.q", "layers.0.scale")}
    (folder / "model-00002.safetensors").write_bytes(packed(both))
    with pytest.raises(Malformed) as refusal:
        digest_model(folder)
    assert refusal.value.code == "weights_index_mismatch"


def test_host_changes_one_byte_and_the_tensor_is_named(model):
    before = digest_model(model)
    data = bytearray((model / "model.safetensors").read_bytes())
    begin = 8 + int.from_bytes(data[:8], "little")
    for at in range(begin, len(data)):
        data[at] ^= 1
        (model / "model.safetensors").write_bytes(data)
        after = digest_model(model)
        assert after.root != before.root
        assert after.blake3 != before.blake3
        assert len(differences(before, after)) == 1
        data[at] ^= 1
    assert differences(before, before) == ()


@pytest.mark.parametrize(
    ("tensors", "metadata", "named"),
    [
        (TENSORS | {"embed": ("F32", [2, 4], TENSORS["embed"][2])}, None, "tensor embed"),
        (TENSORS | {"embed": ("I32", [4, 2], TENSORS["embed"][2])}, None, "tensor embed"),
        (TENSORS | {"more": ("U8", [0], b"")}, None, "tensor more"),
        (TENSORS, {"format": "tf"}, "text format=tf"),
    ],
)
def test_host_changes_what_a_tensor_is_and_not_its_bytes(model, tensors, metadata, named):
    before = digest_model(model)
    (model / "model.safetensors").write_bytes(packed(tensors, metadata=metadata))
    after = digest_model(model)
    assert after.root != before.root
    assert differences(before, after) == (named,)


def test_every_other_file_counts_but_those_that_only_describe_the_model(model):
    before = digest_model(model)
    for name in BESIDE:
        (model / name).write_bytes(b"words")
    assert digest_model(model) == before
    for name in ("config.json", "generation_config.json", "modeling.py"):
        (model / name).write_bytes(b"{}")
        after = digest_model(model)
        assert f"file {name}" in differences(before, after)
        before = after


def test_what_is_loaded_is_what_was_hashed(model):
    loaded = load_model(model)
    assert loaded.digest == digest_model(model)
    for name, (dtype, shape, raw) in TENSORS.items():
        tensor = loaded.tensors[name]
        assert (tensor.dtype, list(tensor.shape), bytes(tensor.data)) == (dtype, shape, raw)
        assert tensor.data.readonly
    assert loaded.files == OTHERS
    (model / "model.safetensors").write_bytes(packed({}))
    assert bytes(loaded.tensors["embed"].data) == TENSORS["embed"][2]


def test_a_large_tensor_is_read_in_pieces(tmp_path):
    raw = os.urandom((1 << 20) + 3)
    tensors = {"large": ("U8", [len(raw)], raw), "small": ("U8", [1], b"x")}
    folder = write(tmp_path / "model", {"model.safetensors": packed(tensors)})
    for threads in (1, 2, 5):
        loaded = load_model(folder, threads=threads)
        assert bytes(loaded.tensors["large"].data) == raw
        large = loaded.digest.tensors[0].digests
        assert large.sha256 == hashlib.sha256(raw).digest()
        assert large.blake3 == blake3.blake3(raw).digest()
    with pytest.raises(TooLarge) as refusal:
        load_model(folder, limit=1 << 20)
    assert refusal.value.expected == f"at most {1 << 20} bytes"


def test_a_folder_that_is_no_model_is_refused(tmp_path, model):
    with pytest.raises(Unavailable):
        digest_model(tmp_path / "nowhere")
    with pytest.raises(Usage) as refusal:
        digest_model(write(tmp_path / "empty", OTHERS))
    assert (refusal.value.code, refusal.value.got) == ("not_a_model", "none")
    (model / "within").mkdir()
    with pytest.raises(Usage, match="not the folder of one model"):
        digest_model(model)
    (model / "within").rmdir()
    os.mkfifo(model / "pipe")
    with pytest.raises(Usage, match="not the folder of one model"):
        digest_model(model)
    (model / "pipe").unlink()
    (model / "adapter.safetensors").write_bytes(packed({}))
    with pytest.raises(Usage, match="not the folder of one model"):
        digest_model(model)


def test_a_name_that_cannot_be_written_down_is_refused(model):
    (model / b"x\xff".decode(errors="surrogateescape")).write_bytes(b"")
    with pytest.raises(Usage, match="not the folder of one model"):
        digest_model(model)

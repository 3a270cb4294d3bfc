"""The payload is Tink's: Tink opens what we seal, and we open what Tink sealed."""

from __future__ import annotations

import io

import pytest
import tink
from tink import secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

from teeproof.core.sealed import open_sealed, read_header, unwrap_key
from teeproof.core.sealed.keys import make_header
from teeproof.core.sealed.segments import SEGMENT
from tests.core.sealed.scenes import ALICE, BOB, EDGES, opened, plain, sealed

TYPE = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey"


@pytest.fixture(scope="module", autouse=True)
def _registered():
    streaming_aead.register()


def primitive(data_key: bytes) -> streaming_aead.StreamingAead:
    """Return Tink's AES256_GCM_HKDF_1MB under a key."""
    params = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=SEGMENT, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
    )
    key = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(key_value=data_key, params=params)
    data = tink_pb2.KeyData(
        type_url=TYPE,
        value=key.SerializeToString(),
        key_material_type=tink_pb2.KeyData.SYMMETRIC,
    )
    keys = tink_pb2.Keyset(primary_key_id=1)
    keys.key.add(key_data=data, status=tink_pb2.ENABLED, key_id=1, output_prefix_type=tink_pb2.RAW)
    handle = tink.proto_keyset_format.parse(keys.SerializeToString(), secret_key_access.TOKEN)
    return handle.primitive(streaming_aead.StreamingAead)


class Kept(io.BytesIO):
    """What Tink writes outlives the stream that Tink closes."""

    value = b""

    def close(self) -> None:
        self.value = self.value or self.getvalue()
        super().close()


@pytest.mark.parametrize("size", EDGES)
def test_tink_opens_what_we_sealed(size):
    stream = io.BytesIO(sealed(plain(size), [ALICE, BOB]))
    header = read_header(stream)
    theirs = primitive(unwrap_key(header, BOB).secret)
    with theirs.new_decrypting_stream(stream, header.associated_data) as found:
        assert found.read() == plain(size)


@pytest.mark.parametrize("size", EDGES)
def test_we_open_what_tink_sealed(size):
    header, data_key = make_header([ALICE.public])
    target = Kept()
    theirs = primitive(data_key.secret)
    with theirs.new_encrypting_stream(target, header.associated_data) as stream:
        stream.write(plain(size))
    file = header.encode() + target.value
    assert opened(file) == plain(size)
    assert opened(file, key=data_key, threads=1) == plain(size)
    with open_sealed(io.BytesIO(file), key=ALICE) as reader:
        assert reader.read() == plain(size)


def test_tink_refuses_our_payload_under_another_header():
    stream = io.BytesIO(sealed(plain(100)))
    header = read_header(stream)
    theirs = primitive(unwrap_key(header, ALICE).secret)
    with (
        theirs.new_decrypting_stream(stream, header.associated_data[:-1]) as found,
        pytest.raises(tink.TinkError),
    ):
        found.read()

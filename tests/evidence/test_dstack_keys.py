"""A key's chain of signatures, from a KMS root that the caller pinned."""

from __future__ import annotations

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.digests import keccak256
from teeproof.core.errors import Error, Malformed, NotAuthentic, Usage
from teeproof.evidence.dstack_keys import verify_key_chain

ROOT, APP, KEY = (PrivateKey.from_int(n) for n in (0xA001, 0xA002, 0xA003))
APP_ID = bytes(range(20))
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
ED25519 = b"\x0e" * 32


def public(key):
    return key.public_key.format()


def sign(key, *parts):
    return key.sign_recoverable(keccak256(*parts), hasher=None)


def chain(*, root=ROOT, app=APP, key=None, purpose="signing", app_id=APP_ID):
    key = public(KEY) if key is None else key
    return [
        sign(app, f"{purpose}:{key.hex()}".encode()),
        sign(root, b"dstack-kms-issued:", app_id, public(app)),
    ]


def verify(signatures, **changes):
    expected = {
        "public_key": public(KEY),
        "purpose": "signing",
        "app_id": APP_ID,
        "expected_root": public(ROOT),
    }
    return verify_key_chain(signatures, **(expected | changes))


def refused(signatures, **changes):
    with pytest.raises(NotAuthentic) as caught:
        verify(signatures, **changes)
    return caught.value.code


def test_a_chain_that_ends_at_the_pinned_root_names_every_key():
    found = verify(chain())
    assert (found.public_key, found.app_key, found.root) == tuple(map(public, (KEY, APP, ROOT)))
    assert (found.app_id, found.purpose) == (APP_ID, "signing")


def test_keys_may_be_given_uncompressed():
    found = verify(
        chain(),
        public_key=KEY.public_key.format(compressed=False),
        expected_root=ROOT.public_key.format(compressed=False),
    )
    assert found.public_key == public(KEY)


def test_an_ed25519_key_has_a_chain_too():
    found = verify(chain(key=ED25519), public_key=ED25519)
    assert found.public_key == ED25519
    assert refused(chain(key=ED25519), public_key=b"\x0f" * 32) == "kms_root_mismatch"


def test_operator_runs_a_kms_of_his_own():
    assert refused(chain(root=PrivateKey.from_int(0xBAD))) == "kms_root_mismatch"
    assert refused(chain(), expected_root=public(APP)) == "kms_root_mismatch"


def test_operator_gives_a_key_of_another_application():
    assert refused(chain(app_id=bytes(20))) == "kms_root_mismatch"


def test_operator_signs_with_an_application_key_that_no_kms_issued():
    signatures = chain(app=PrivateKey.from_int(0xBAD))
    assert refused([signatures[0], chain()[1]]) == "kms_root_mismatch"


def test_operator_gives_a_key_for_another_purpose():
    assert refused(chain(purpose="encryption")) == "kms_root_mismatch"


def test_operator_gives_another_key_than_the_signed_one():
    assert refused(chain(), public_key=public(PrivateKey.from_int(0xBAD))) == "kms_root_mismatch"


def test_host_swaps_the_two_signatures():
    assert refused(chain()[::-1]) == "kms_root_mismatch"


@pytest.mark.parametrize("which", [0, 1])
def test_host_shows_the_high_s_twin_of_a_signature(which):
    signatures = chain()
    r, s, v = signatures[which][:32], signatures[which][32:64], signatures[which][64]
    twin = r + (ORDER - int.from_bytes(s, "big")).to_bytes(32, "big") + bytes([v ^ 1])
    signatures[which] = twin
    with pytest.raises(Malformed) as caught:
        verify(signatures)
    assert caught.value.code == "signature_malformed"


@pytest.mark.parametrize(
    "signature",
    [b"", bytes(64), bytes(65), bytes(66), b"\xff" * 64 + b"\0", b"\1" * 64 + b"\x1b"],
)
def test_host_shows_what_is_no_signature(signature):
    for signatures in ([signature, chain()[1]], [chain()[0], signature]):
        with pytest.raises(Malformed):
            verify(signatures)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_chain_has_two_signatures(count):
    with pytest.raises(Malformed) as caught:
        verify((chain() * 2)[:count])
    assert caught.value.code == "signature_chain_malformed"


def test_keys_and_ids_of_another_form_are_refused():
    with pytest.raises(Malformed):
        verify(chain(), public_key=b"\2" + b"\xff" * 32)
    with pytest.raises(Malformed):
        verify(chain(), expected_root=bytes(33))
    with pytest.raises(Malformed):
        verify(chain(), expected_root=bytes(32))
    with pytest.raises(Usage):
        verify(chain(), app_id=bytes(21))


@given(st.integers(0, 1), st.integers(0, 64), st.integers(1, 255))
def test_no_changed_byte_of_a_chain_is_accepted(which, at, change):
    signatures = chain()
    changed = bytearray(signatures[which])
    changed[at] ^= change
    signatures[which] = bytes(changed)
    with pytest.raises(Error):
        verify(signatures)

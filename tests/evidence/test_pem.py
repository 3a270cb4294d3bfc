"""PEM texts: nothing between blocks is lost, and a block can be written in one way alone."""

from __future__ import annotations

import pytest

from teeproof.evidence.der import armoured
from teeproof.evidence.pem import decoded, split

CERTIFICATE = armoured(bytes(8) + b"\xa0" + bytes(91))
LIST = armoured(bytes(100))


def test_blocks_come_in_their_order_with_all_that_stands_between():
    found, rest = split(b"a" + CERTIFICATE + b"b" + LIST + b"c", lists=True)
    assert [(one.is_certificate, decoded(one.base64)[8]) for one in found] == [
        (True, 0xA0), (False, 0),
    ]  # fmt: skip
    assert rest == b"a\nb\nc"


def test_a_list_among_certificates_is_something_else():
    found, rest = split(CERTIFICATE + LIST)
    assert [one.is_certificate for one in found] == [True]
    assert rest == b"\n" + LIST


def test_a_block_whose_end_has_another_label_is_none():
    text = CERTIFICATE.replace(b"END CERTIFICATE", b"END X509 CRL")
    assert split(text, lists=True) == ([], text)


def test_lines_may_end_as_they_do_elsewhere():
    assert split(CERTIFICATE.replace(b"\n", b"\r\n"))[0] == split(CERTIFICATE)[0]


@pytest.mark.parametrize("base64", [b"AAB=", b"A", b"AAA=A", b"AAAA AAA", b"AAA"])
def test_client_writes_the_same_bytes_otherwise(base64):
    assert decoded(b"AAA=") == bytes(2)
    with pytest.raises(ValueError, match=r"\w"):
        decoded(base64)

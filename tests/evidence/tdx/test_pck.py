"""The SGX extension of a PCK certificate: what dcap-qvl reads, and nothing looser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dcap_qvl
import pytest
from cryptography import x509 as library
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed
from teeproof.evidence import x509
from teeproof.evidence.collect.simulated import Processor
from teeproof.evidence.der import (
    BOOLEAN,
    ENUMERATED,
    INTEGER,
    OCTETS,
    OID,
    SEQUENCE,
    encode,
    encode_oid,
)
from teeproof.evidence.simulated.pck import sgx_extension
from teeproof.evidence.simulated.pki import pem
from teeproof.evidence.tdx.pck import PckExtension, parse_pck
from tests.evidence.scenes import NOW, PLATFORM
from tests.vectors import Record, each

SGX_EXTENSION = "1.2.840.113741.1.13.1"
_KEY = ec.derive_private_key(7, ec.SECP256R1())
_NAME = library.Name([library.NameAttribute(library.NameOID.COMMON_NAME, "SGX PCK Certificate")])


def _certificate(value: bytes | None) -> bytes:
    builder = library.CertificateBuilder(_NAME, _NAME, _KEY.public_key(), 7, NOW, NOW)
    builder = builder.add_extension(library.BasicConstraints(ca=False, path_length=None), True)
    if value is not None:
        extension = library.UnrecognizedExtension(library.ObjectIdentifier(SGX_EXTENSION), value)
        builder = builder.add_extension(extension, critical=False)
    signed = builder.sign(_KEY, hashes.SHA256(), ecdsa_deterministic=True)
    return pem(signed.public_bytes(Encoding.DER))


def _parse(value: bytes | None) -> PckExtension:
    return parse_pck(x509.parse_chain(_certificate(value), what="chain")[0])


def _refused(value: bytes | None) -> Malformed:
    with pytest.raises(Malformed) as caught:
        _parse(value)
    assert caught.value.code == "pck_extension_malformed"
    return caught.value


def _pair(arcs: str, value: bytes) -> bytes:
    return encode(SEQUENCE, encode(OID, encode_oid(f"{SGX_EXTENSION}.{arcs}")) + value)


def _tcb(**changes: bytes) -> list[bytes]:
    numbers = {str(index): encode(INTEGER, bytes([index])) for index in range(1, 17)}
    rest = {"17": encode(INTEGER, b"\x0b"), "18": encode(OCTETS, bytes(range(16)))}
    return [_pair(f"2.{arc}", value) for arc, value in (numbers | rest | changes).items()]


def _parts(**changes: bytes | None) -> dict[str, bytes]:
    parts = {
        "1": encode(OCTETS, bytes(16)),
        "2": encode(SEQUENCE, b"".join(_tcb())),
        "3": encode(OCTETS, bytes(2)),
        "4": encode(OCTETS, bytes(6)),
        "5": encode(ENUMERATED, b"\x01"),
        "6": encode(OCTETS, bytes(16)),
        "7": encode(
            SEQUENCE, b"".join(_pair(f"7.{n}", encode(BOOLEAN, b"\xff")) for n in (1, 2, 3))
        ),
    }
    return {arc: value for arc, value in (parts | changes).items() if value is not None}


def _extension(parts: dict[str, bytes]) -> bytes:
    return encode(SEQUENCE, b"".join(_pair(arc, value) for arc, value in parts.items()))


def test_every_value_is_read() -> None:
    read = _parse(_extension(_parts()))
    assert read == PckExtension(
        ppid=bytes(16),
        cpu_svn=bytes(range(16)),
        components=tuple(range(1, 17)),
        pce_svn=11,
        pce_id=bytes(2),
        fmspc=bytes(6),
        sgx_type=1,
        instance_id=bytes(16),
        dynamic_platform=True,
        cached_keys=True,
        smt=True,
    )
    assert read.platform_id == named(sha256(bytes(16)))


@given(
    cpu_svn=st.binary(min_size=16, max_size=16),
    pce_svn=st.integers(0, 0x7FFF),  # dcap-qvl cannot read more: see the next test
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
@settings(max_examples=50)
def test_what_the_simulator_writes_is_read_and_dcap_qvl_reads_the_same(
    cpu_svn: bytes, pce_svn: int, flags: tuple[bool, bool, bool]
) -> None:
    dynamic, cached, smt = flags
    processor = Processor(
        cpu_svn=cpu_svn, pce_svn=pce_svn, dynamic=dynamic, cached_keys=cached, smt=smt
    )
    certificate = _certificate(sgx_extension(processor))
    ours = parse_pck(x509.parse_chain(certificate, what="chain")[0])
    assert ours.components == tuple(cpu_svn)
    assert (ours.dynamic_platform, ours.cached_keys, ours.smt) == flags
    _compare(ours, dcap_qvl.parse_pck_extension_from_pem(certificate))


def test_a_pce_svn_of_two_full_bytes_is_read_although_dcap_qvl_cannot() -> None:
    certificate = _certificate(sgx_extension(Processor(pce_svn=0x8000)))
    assert parse_pck(x509.parse_chain(certificate, what="chain")[0]).pce_svn == 0x8000
    with pytest.raises(ValueError, match="PceSvn"):
        dcap_qvl.parse_pck_extension_from_pem(certificate)


def _compare(ours: PckExtension, theirs: Any) -> None:
    for name in ("ppid", "cpu_svn", "pce_svn", "pce_id", "fmspc", "sgx_type"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.instance_id == theirs.platform_instance_id
    for index, svn in enumerate(ours.components, start=1):
        raw = theirs.get_value(f"{SGX_EXTENSION}.2.{index}")
        assert int.from_bytes(raw, "big") == svn
    flags = (ours.dynamic_platform, ours.cached_keys, ours.smt)
    for index, flag in enumerate(flags, start=1):
        raw = theirs.get_value(f"{SGX_EXTENSION}.7.{index}")
        assert flag is (None if raw is None else raw != b"\0")


@pytest.mark.parametrize("record", each("dcap"))
def test_real_extensions_are_read_like_dcap_qvl_reads_them(record: Record) -> None:
    theirs: Any = dcap_qvl.parse_quote(record.read("quote.bin"))
    chain = x509.parse_chain(theirs.cert_chain_pem_bytes(), what="chain")
    ours = parse_pck(chain[0])
    _compare(ours, theirs.pck_extension())
    assert ours.fmspc.hex().upper() == theirs.fmspc()


def test_the_order_of_the_parts_does_not_matter() -> None:
    parts = _parts()
    assert _parse(_extension(dict(reversed(parts.items())))) == _parse(_extension(parts))


def test_a_processor_certificate_says_nothing_of_instance_and_configuration() -> None:
    read = _parse(_extension(_parts(**{"6": None, "7": None})))
    assert read.instance_id is None
    assert (read.dynamic_platform, read.cached_keys, read.smt) == (None, None, None)
    empty = _parse(_extension(_parts(**{"7": encode(SEQUENCE, b"")})))
    assert (empty.dynamic_platform, empty.cached_keys, empty.smt) == (None, None, None)


@pytest.mark.parametrize("arc", ["1", "2", "3", "4", "5"])
def test_a_part_that_every_certificate_has_may_not_be_missing(arc: str) -> None:
    _refused(_extension(_parts(**{arc: None})))


@pytest.mark.parametrize("arc", [str(number) for number in range(1, 19)])
def test_a_version_number_may_not_be_missing(arc: str) -> None:
    kept = [pair for number, pair in zip(range(1, 19), _tcb(), strict=True) if str(number) != arc]
    _refused(_extension(_parts(**{"2": encode(SEQUENCE, b"".join(kept))})))


def test_host_a_part_given_twice_is_refused() -> None:
    # A reader that keeps the first and one that keeps the last would see two platforms.
    body = b"".join(_pair(arc, value) for arc, value in _parts().items())
    for arc, value in _parts().items():
        _refused(encode(SEQUENCE, body + _pair(arc, value)))
    twice = encode(SEQUENCE, b"".join([*_tcb(), _tcb()[0]]))
    _refused(_extension(_parts(**{"2": twice})))


@pytest.mark.parametrize(
    ("number", "expected"),
    [(b"\x00", 0), (b"\x7f", 127), (b"\x00\x80", 128), (b"\x00\xff", 255), (b"\x01\x00", None),
     (b"\xff", None), (b"\x80", None), (b"\x00\x01\x00", None), (b"", None),
     (b"\x00\x05", None), (b"\x00\x00", None)],
)  # fmt: skip
def test_a_component_is_a_number_of_one_byte(number: bytes, expected: int | None) -> None:
    value = _extension(
        _parts(**{"2": encode(SEQUENCE, b"".join(_tcb(**{"1": encode(INTEGER, number)})))})
    )
    if expected is None:
        _refused(value)
    else:
        assert _parse(value).components[0] == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [(b"\x00\x80", 128), (b"\x01\x00", 256), (b"\x00\xff\xff", 65535), (b"\x01\x00\x00", None),
     (b"\xff\xff", None), (b"\x80\x00", None)],
)  # fmt: skip
def test_the_pce_svn_is_a_number_of_two_bytes(number: bytes, expected: int | None) -> None:
    value = _extension(
        _parts(**{"2": encode(SEQUENCE, b"".join(_tcb(**{"17": encode(INTEGER, number)})))})
    )
    if expected is None:
        _refused(value)
    else:
        assert _parse(value).pce_svn == expected


@pytest.mark.parametrize(
    ("arc", "value"),
    [
        ("1", encode(OCTETS, bytes(15))),
        ("1", encode(OCTETS, bytes(17))),
        ("1", encode(INTEGER, bytes(16))),
        ("3", encode(OCTETS, bytes(1))),
        ("4", encode(OCTETS, bytes(7))),
        ("5", encode(INTEGER, b"\1")),
        ("5", encode(ENUMERATED, b"\xff")),
        ("6", encode(OCTETS, bytes(15))),
        ("7", encode(OCTETS, b"")),
        ("7", encode(SEQUENCE, _pair("7.1", encode(INTEGER, b"\1")))),
        ("7", encode(SEQUENCE, _pair("7.1", encode(BOOLEAN, b"")))),
        ("7", encode(SEQUENCE, _pair("7.1", encode(BOOLEAN, b"\x01")))),
        ("7", encode(SEQUENCE, _pair("2.1", encode(BOOLEAN, b"\xff")))),
        ("2", encode(SEQUENCE, b"\x30\x00")),
    ],
    ids=lambda value: value.hex()[:12] if isinstance(value, bytes) else value,
)
def test_a_part_of_another_type_or_size_is_refused(arc: str, value: bytes) -> None:
    assert _refused(_extension(_parts(**{arc: value}))).got


def test_an_identifier_outside_of_intels_arc_is_refused() -> None:
    stray = encode(SEQUENCE, encode(OID, encode_oid("1.2.840.113741.1.13.2.1")) + b"\x04\x00")
    body = b"".join(_pair(arc, value) for arc, value in _parts().items())
    _refused(encode(SEQUENCE, body + stray))


@pytest.mark.parametrize("value", [None, b"", b"\x30\x00", b"\x04\x00", b"\x30\x80\x00\x00"])
def test_a_certificate_without_a_readable_extension_is_refused(value: bytes | None) -> None:
    _refused(value)


def test_host_an_extension_that_is_cut_or_changed_crashes_nothing() -> None:
    value = sgx_extension(Processor())
    for size in range(0, len(value), 5):
        _refused(value[:size])
    for at in range(len(value)):
        try:
            _parse(value[:at] + bytes([value[at] ^ 0x15]) + value[at + 1 :])
        except Malformed:
            continue


def test_the_platform_is_named_by_its_ppid_alone() -> None:
    base = _parse(_extension(_parts()))
    assert replace(base, pce_svn=12, smt=False).platform_id == base.platform_id
    assert replace(base, ppid=b"\1" * 16).platform_id != base.platform_id
    assert base.ppid.hex() not in base.platform_id
    assert PLATFORM.machine().processor.ppid != bytes(16)

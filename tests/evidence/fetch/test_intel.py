"""Intel's services: what comes is verified and this platform's, or nothing of it is kept."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from teeproof.core.errors import Malformed, NotAuthentic, Unavailable, Usage
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.entries import describe
from teeproof.evidence.fetch.intel import Edition, fetch_collateral
from teeproof.evidence.fetch.wire import list_of, pem_of_header, signed_document
from teeproof.evidence.files.fitting import platform_of
from teeproof.evidence.simulated.collateral import Edition as Published
from teeproof.evidence.simulated.collateral import publish
from teeproof.evidence.simulated.platform import SimulatedPlatform
from tests.evidence.scenes import NOW, PLATFORM, collateral, evidence, flipped, judge
from tests.sim.vendors import query_of
from tests.vectors import Record, each

AT = int(NOW.timestamp())
OURS = platform_of(evidence().quote)


def _published(**changes: object) -> Collateral:
    from dataclasses import replace

    return publish(PLATFORM.pki, replace(Published.at(NOW), **changes))  # type: ignore[arg-type]


def test_what_is_fetched_is_what_intel_signed_byte_for_byte_and_verifies(vendors, web):
    vendors.publish(collateral())
    found = fetch_collateral(OURS, web(), now=AT)
    assert found == collateral()
    assert judge(evidence().quote, endorsements=found).ok
    assert vendors.asked == [
        "/tdx/certification/v4/tcb?fmspc=53494d000000",
        "/tdx/certification/v4/qe/identity",
        "/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
        "/IntelSGXRootCA.der",
    ]


@pytest.mark.parametrize("record", each("dcap"))
def test_intels_own_documents_pass_through_the_wire_unchanged(record: Record, vendors, web):
    given = Collateral.parse(record.read("collateral.json"))
    entry = describe(given)
    platform = platform_of(record.read("quote.bin"))._replace(root=entry.root)
    vendors.publish(given, tee=entry.tee.lower())
    if entry.platform != platform or entry.begins > entry.ends:
        with pytest.raises(NotAuthentic):
            fetch_collateral(platform, web(), now=entry.ends)
        return
    assert fetch_collateral(platform, web(), now=entry.ends) == given
    with pytest.raises(NotAuthentic) as caught:
        fetch_collateral(platform, web(), now=entry.ends + 1)
    assert caught.value.code == "fetched_not_in_force"


def test_a_pccs_is_asked_for_all_and_its_lists_come_in_hex(vendors, web):
    vendors.publish_as_pccs(collateral())
    cached = web(pccs=vendors.url, pcs="https://pcs.invalid", pcs_certificates="https://x.invalid")
    assert fetch_collateral(OURS, cached, now=AT) == collateral()
    assert vendors.asked[-1] == "/sgx/certification/v4/rootcacrl"


def test_an_edition_is_asked_for_by_update_or_number(vendors, web):
    vendors.publish(collateral(), query="update=early")
    fetch_collateral(OURS, web(), now=AT, edition=Edition(update="early"))
    assert query_of(vendors.asked[0])["update"] == ["early"]
    vendors.publish(collateral(), query="tcbEvaluationDataNumber=20")
    fetch_collateral(OURS, web(), now=AT, edition=Edition(number=20))
    with pytest.raises(Unavailable):
        fetch_collateral(OURS, web(), now=AT, edition=Edition(number=21))
    with pytest.raises(Usage):
        Edition(update="early", number=20)
    with pytest.raises(Usage):
        Edition(number=0)


@pytest.mark.parametrize(
    ("served", "code"),
    [
        (lambda: _published(fmspc=b"\1\2\3\4\5\6"), "endorsements_not_served"),
        (lambda: _published(tee="SGX", enclave="QE"), "fetched_unfit"),
        (lambda: _published(enclave="QE"), "fetched_unfit"),
        (lambda: SimulatedPlatform(b"\6" * 32).collateral(NOW), "collateral_signature"),
        (lambda: PLATFORM.collateral(NOW - timedelta(days=31)), "fetched_not_in_force"),
        (lambda: PLATFORM.collateral(NOW + timedelta(days=1)), "fetched_not_in_force"),
    ],
    ids=["other-fmspc", "other-tee", "other-enclave", "other-root", "expired", "from-tomorrow"],
)
def test_network_what_is_not_for_this_platform_and_time_is_not_taken(served, code, vendors, web):
    vendors.publish(served())
    with pytest.raises((NotAuthentic, Unavailable)) as caught:
        fetch_collateral(OURS, web(), now=AT)
    assert caught.value.code == code


def test_network_a_server_cannot_serve_another_family_at_our_address(vendors, web):
    vendors.publish(_published(fmspc=b"\1\2\3\4\5\6"))
    base = "/tdx/certification/v4/tcb?fmspc="
    vendors.files[f"{base}53494d000000"] = vendors.files[f"{base}010203040506"]
    with pytest.raises(NotAuthentic) as caught:
        fetch_collateral(OURS, web(), now=AT)
    assert (caught.value.code, caught.value.got) == ("fetched_unfit", "TDX 010203040506 platform")


def test_network_no_byte_of_what_is_signed_can_be_changed(vendors, web):
    vendors.publish(collateral())
    for path, (content, headers) in list(vendors.files.items()):
        for at in (len(content) // 3, len(content) - 8):
            vendors.files[path] = (flipped(content, at), headers)
            if "processor" in path:
                continue
            with pytest.raises((NotAuthentic, Malformed)):
                fetch_collateral(OURS, web(), now=AT)
        vendors.files[path] = (content, headers)
    assert fetch_collateral(OURS, web(), now=AT) == collateral()


@pytest.mark.parametrize("path", ["/tdx/certification/v4/qe/identity", "/IntelSGXRootCA.der"])
@pytest.mark.parametrize("content", [b"", b"<html>sign in</html>", b"{}", b"[" * 100, b"\0" * 9])
def test_network_another_content_is_not_taken(path, content, vendors, web):
    vendors.publish(collateral())
    vendors.files[path] = (content, vendors.files[path][1])
    with pytest.raises((Malformed, NotAuthentic)):
        fetch_collateral(OURS, web(), now=AT)


@pytest.mark.parametrize("chain", [None, "", "%00", "a" * 60000, "-----BEGIN CERTIFICATE-----"])
def test_network_a_chain_that_is_none_is_not_taken(chain, vendors, web):
    vendors.publish(collateral())
    path = "/tdx/certification/v4/qe/identity"
    headers = {} if chain is None else {"SGX-Enclave-Identity-Issuer-Chain": chain}
    vendors.files[path] = (vendors.files[path][0], headers)
    with pytest.raises((Malformed, NotAuthentic)):
        fetch_collateral(OURS, web(), now=AT)


# The wire ---------------------------------------------------------------------------------------


def test_a_document_comes_out_as_it_was_signed_whatever_stands_around_it():
    inner = b'{ "b": [1, {"a":"}\\""}],  "a" :2 }'
    signature = "ab" * 64
    for text in (
        b'{"doc":%s,"signature":"%s"}' % (inner, signature.encode()),
        b' {"signature" : "%s" ,\n "doc" : %s } \n' % (signature.encode(), inner),
    ):
        found = signed_document(text, "doc", limit=1000, what="document")
        assert found == (inner, bytes.fromhex(signature))


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[]", b'"doc"', b'{"doc":{}}', b'{"signature":"%s"}' % (b"ab" * 64),
        b'{"doc":{},"signature":"%s"}' % (b"ab" * 63), b'{"doc":{},"signature":1}',
        b'{"doc":[],"signature":"%s"}' % (b"ab" * 64),
        b'{"doc":{},"signature":"%s","x":1}' % (b"ab" * 64),
        b'{"doc":{},"doc":{},"signature":"%s"}' % (b"ab" * 64),
        b'{"doc":{},"signature":"%s"}x' % (b"ab" * 64),
        b'{"doc":{"a":' + b"[" * 70 + b"]" * 70 + b'},"signature":"%s"}' % (b"ab" * 64),
    ],
)  # fmt: skip
def test_network_a_document_of_another_shape_is_refused(text):
    with pytest.raises(Malformed):
        signed_document(text, "doc", limit=1000, what="document")


def test_a_list_may_come_in_hex_and_a_chain_is_looked_for_under_either_name():
    assert list_of(b"3082AbCd\n") == bytes.fromhex("3082abcd")
    assert list_of(b"\x30\x82\xab") == b"\x30\x82\xab"
    assert list_of(b"308") == b"308"
    headers = {"sgx-tcb-info-issuer-chain": "a%0Ab+c"}
    names = ("TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain")
    assert pem_of_header(headers, names, what="chain") == b"a\nb+c"


def test_json_stays_what_it_was():
    text = json.dumps({"doc": {"a": 1}, "signature": "00" * 64}).encode()
    assert signed_document(text, "doc", limit=len(text), what="d")[0] == b'{"a": 1}'
    with pytest.raises(Malformed):
        signed_document(text, "doc", limit=len(text) - 1, what="d")

"""Signed XML in one form only; each known trick against XML signatures meets a refusal."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from hashlib import sha384

import pytest

from teeproof.core.errors import Error, Malformed, NotAuthentic, TooLarge
from teeproof.evidence.nvidia import xmlsig
from teeproof.evidence.nvidia.policy import Roots
from teeproof.evidence.nvidia.rim import _verified
from teeproof.evidence.simulated.nvidia import DRIVER, sign_xml
from tests.evidence.nvidia.scenes import SCENE, VENDOR, real
from tests.vectors import directory

ROOTS = Roots(frozenset(), frozenset())
GOOD = SCENE.rims()[0].xml
SIGNATURE = re.search(rb"<ds:Signature .*</ds:Signature>", GOOD)[0]
INFO = re.search(rb"<ds:SignedInfo>.*</ds:SignedInfo>", GOOD)[0]
VICTIM = SCENE.gpus()[0].measurements[21].hex().encode()
EVIL = b"66" * 48


def changed(old: bytes, new: bytes, *, count: int = 1) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new, count)


def refusal(xml: bytes) -> str:
    with pytest.raises(Error) as caught:
        _verified(xml, ROOTS.manifests)
    return caught.value.code


def test_a_signed_manifest_verifies():
    manifest = _verified(GOOD, ROOTS.manifests)
    assert (manifest.version, len(manifest.golden)) == (DRIVER, 20)


def test_host_cannot_change_a_digest():
    assert refusal(changed(VICTIM, EVIL)) == "rim_digest"


def test_host_cannot_change_the_signed_digest_too():
    xml = changed(VICTIM, EVIL)
    content = xmlsig.parse(xml).content
    old = re.search(rb"<ds:DigestValue>(.*)</ds:DigestValue>", xml)[1]
    xml = xml.replace(old, b64encode(sha384(content).digest()))
    assert refusal(xml) == "rim_signature"


def test_host_cannot_wrap_the_signed_document_inside_another():
    evil = GOOD.replace(SIGNATURE, b"").replace(VICTIM, EVIL)
    inner = evil.replace(b"</SoftwareIdentity>", GOOD + b"</SoftwareIdentity>")
    assert refusal(inner) == "rim_malformed"


def test_host_cannot_hide_the_signed_document_inside_the_signature():
    evil = GOOD.replace(VICTIM, EVIL)
    hidden = evil.replace(
        b"</ds:Signature>", b"<ds:Object>" + GOOD + b"</ds:Object></ds:Signature>"
    )
    assert refusal(hidden) == "rim_malformed"


def test_host_cannot_move_the_signature_deeper():
    moved = GOOD.replace(SIGNATURE, b"").replace(b"</ns0:Payload>", SIGNATURE + b"</ns0:Payload>")
    assert refusal(moved) == "rim_malformed"


@pytest.mark.parametrize("where", ["before", "behind"])
def test_host_cannot_add_a_second_signature(where):
    twice = GOOD.replace(SIGNATURE, SIGNATURE + SIGNATURE)
    if where == "before":
        twice = GOOD.replace(b"<ns0:Payload>", SIGNATURE + b"<ns0:Payload>")
    assert refusal(twice) == "rim_malformed"


@pytest.mark.parametrize("where", ["before", "behind"])
def test_host_cannot_add_a_second_signed_info(where):
    other = INFO.replace(b"DigestValue>", b"DigestValue>AAAA", 1)
    both = other + INFO if where == "before" else INFO + other
    assert refusal(changed(INFO, both)) == "rim_malformed"


def test_host_cannot_add_a_second_reference():
    reference = re.search(rb"<ds:Reference .*</ds:Reference>", INFO)[0]
    assert refusal(changed(reference, reference * 2)) == "rim_malformed"


@pytest.mark.parametrize("uri", [b"#part", b"http://simulated.invalid/", b"/etc/passwd"])
def test_host_cannot_have_another_document_signed_for(uri):
    assert refusal(changed(b'URI=""', b'URI="' + uri + b'"')) == "rim_malformed"


def test_host_cannot_leave_the_reference_open():
    assert refusal(changed(b'<ds:Reference URI="">', b"<ds:Reference>")) == "rim_malformed"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (xmlsig.ECDSA_SHA384, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"),
        (xmlsig.ECDSA_SHA384, "http://www.w3.org/2000/09/xmldsig#hmac-sha1"),
        (xmlsig.SHA384, "http://www.w3.org/2000/09/xmldsig#sha1"),
        (xmlsig.ENVELOPED, "http://www.w3.org/TR/1999/REC-xslt-19991116"),
        (xmlsig.ENVELOPED, "http://www.w3.org/TR/1999/REC-xpath-19991116"),
        (xmlsig.C14N, "http://www.w3.org/2001/10/xml-exc-c14n#"),
    ],
)
def test_host_cannot_choose_another_algorithm(ours, theirs):
    assert refusal(changed(ours.encode(), theirs.encode())) == "rim_malformed"


def test_host_cannot_add_a_transform():
    last = re.search(rb"</ds:Transforms>", GOOD)[0]
    extra = b'<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"/>'
    assert refusal(changed(last, extra + last)) == "rim_malformed"


def test_host_cannot_give_a_key_of_its_own():
    key = b"<ds:KeyValue>AAAA</ds:KeyValue>"
    assert refusal(changed(b"<ds:X509Data>", key + b"<ds:X509Data>")) == "rim_malformed"


def test_host_cannot_put_its_own_certificate_first():
    stranger = VENDOR.issue("RIM L4 Signer", VENDOR.device_root, label="stranger")
    block = b"<ds:X509Certificate>" + b64encode(stranger.der) + b"</ds:X509Certificate>"
    first = b"<ds:X509Certificate>"
    assert refusal(changed(first, block + first)) == "rim_chain_signature"


def test_host_cannot_sign_with_an_authority_or_an_ocsp_responder():
    authority = VENDOR.issue("Sub CA", VENDOR.rim_authority, is_ca=True)
    body = GOOD.replace(SIGNATURE, b"%s").decode()
    chain = (authority, VENDOR.rim_authority, VENDOR.rim_root)
    assert refusal(sign_xml(body, chain)) == "rim_chain_leaf"


BOMB = b"""<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>"""


@pytest.mark.parametrize(
    "before",
    [
        BOMB,
        b'<!DOCTYPE r SYSTEM "http://simulated.invalid/evil.dtd">',
        b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE r [<!ATTLIST SoftwareIdentity name CDATA "evil">]>',
        b"<!-- a comment -->",
        b'<?xml-stylesheet href="http://simulated.invalid/x.xsl"?>',
        b'<?xml version="1.0" encoding="UTF-7"?>',
        b'<?xml version="1.1"?>',
        b"\xef\xbb\xbf",
        b"\0",
    ],
    ids=["bomb", "external dtd", "external entity", "attlist", "comment", "instruction", "encoding",
         "version", "byte order mark", "nul"],
)  # fmt: skip
def test_host_cannot_bring_a_document_type_or_anything_else_before_the_root(before):
    assert refusal(before + GOOD) == "rim_malformed"


def test_an_ordinary_declaration_is_welcome():
    declared = b'<?xml version="1.0" encoding="UTF-8"?>\n' + GOOD
    assert _verified(declared, ROOTS.manifests).version == DRIVER


@pytest.mark.parametrize("inside", [b"&x;", b"<![CDATA[x]]>", b"<!---->", b"<?x?>", b"&#0;", b"<"])
def test_host_cannot_put_entities_comments_or_instructions_inside(inside):
    assert refusal(changed(b"<ns0:Payload>", b"<ns0:Payload>" + inside)) == "rim_malformed"


def test_host_cannot_split_a_digest_by_a_comment():
    value = re.search(rb"<ds:DigestValue>", GOOD)[0]
    assert refusal(changed(value, value + b"<!---->")) == "rim_malformed"


def test_host_cannot_use_xml_attributes():
    assert refusal(changed(b"<ns0:Payload", b'<ns0:Payload xml:base="x"')) == "rim_malformed"


def test_host_cannot_name_a_namespace_that_has_no_canonical_form():
    assert refusal(changed(b"<ns0:Payload", b'<ns0:Payload xmlns:x="relative"')) == "rim_malformed"


def test_host_cannot_write_another_encoding():
    assert refusal(GOOD.decode().encode("utf-16")) == "rim_malformed"


def test_host_cannot_nest_without_end():
    deep = b"<ns0:x>" * 5000 + b"</ns0:x>" * 5000
    assert refusal(changed(b"<ns0:Payload>", b"<ns0:Payload>" + deep)) == "rim_malformed"


def test_host_cannot_bring_thousands_of_elements():
    many = b"<ns0:x/>" * (xmlsig.MAX_ELEMENTS + 1)
    assert refusal(changed(b"<ns0:Payload>", b"<ns0:Payload>" + many)) == "rim_malformed"


def test_host_cannot_crowd_an_element_with_attributes_that_canonical_form_must_sort():
    most = xmlsig.MAX_ATTRIBUTES
    fits, one_more = (
        " ".join(f'a{number}=""' for number in range(count)).encode() for count in (most, most + 1)
    )
    # What fits is read, and was not signed; one more is not even put into canonical form.
    assert refusal(changed(b"<ns0:Payload>", b"<ns0:Payload " + fits + b">")) == "rim_digest"
    assert refusal(changed(b"<ns0:Payload>", b"<ns0:Payload " + one_more + b">")) == "rim_malformed"


def test_host_cannot_bring_a_huge_document():
    with pytest.raises(TooLarge):
        _verified(GOOD + b" " * xmlsig.MAX_DOCUMENT_BYTES, ROOTS.manifests)


def test_a_certificate_of_another_curve_is_refused():
    block = re.search(rb"<ds:X509Certificate>([^<]*)<", GOOD)[1]
    broken = b64encode(b64decode(block)[:-1])
    assert refusal(changed(block, broken)) == "certificates_malformed"


@pytest.mark.parametrize("at", range(0, len(GOOD), 97))
def test_a_flipped_byte_is_refused_or_changes_nothing(at):
    xml = GOOD[:at] + bytes([GOOD[at] ^ 1]) + GOOD[at + 1 :]
    try:
        manifest = _verified(xml, ROOTS.manifests)
    except (Malformed, NotAuthentic):
        return
    assert manifest.golden == _verified(GOOD, ROOTS.manifests).golden


def _signxml_says(xml: bytes) -> bool:
    signxml = pytest.importorskip("signxml")
    from cryptography import x509
    from signxml.exceptions import InvalidInput

    block = re.search(rb"X509Certificate>([^<]*)<", xml)[1]
    leaf = x509.load_der_x509_certificate(b64decode(block))
    config = signxml.SignatureConfiguration(
        location="./", verification_time=leaf.not_valid_before_utc
    )
    try:
        found = signxml.XMLVerifier().verify(xml, x509_cert=leaf, expect_config=config)
    except (signxml.InvalidSignature, signxml.InvalidDigest, InvalidInput):
        return False
    assert found.signed_data == xmlsig.parse(xml).content
    return True


def _we_say(xml: bytes) -> bool:
    try:
        xmlsig.require(xmlsig.parse(xml))
    except NotAuthentic:
        return False
    return True


def test_another_verifier_reads_simulated_manifests_as_we_do():
    assert _signxml_says(GOOD)
    assert _we_say(GOOD)
    assert not _signxml_says(changed(VICTIM, EVIL))


@pytest.mark.usefixtures("vectors")
def test_another_verifier_agrees_on_every_real_manifest():
    folder = directory() / "nvidia"
    found = [*folder.glob("*/*.xml"), *folder.glob("*/*.swidtag")]
    agreed = {path.name: _we_say(path.read_bytes()) for path in found}
    assert {path.name: _signxml_says(path.read_bytes()) for path in found} == agreed
    assert sorted(agreed.values()) == [False] * 4 + [True] * 5


@pytest.mark.usefixtures("vectors")
def test_real_manifests_are_read_from_the_bytes_that_were_signed():
    signed = xmlsig.parse(real("nvswitch-ls10/rim.xml"))
    assert sha384(signed.content).digest() == signed.digest
    assert b"Signature" not in signed.content

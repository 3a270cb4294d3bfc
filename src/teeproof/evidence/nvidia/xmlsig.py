"""XML signatures in the one form that NVIDIA's manifests have; everything else is refused.

The form: one enveloped signature at the top level over the whole document, Canonical XML 1.1,
SHA-384, ECDSA over P-384, certificates inside. No document type, no comments, no processing
instructions, no CDATA, no ``xml:`` attributes; without those, Canonical XML 1.1 and 1.0 agree.
What is read afterwards is parsed from the very bytes whose digest was signed, so nothing that a
signature does not cover can be seen.

Source: W3C XML Signature Syntax and Processing 1.1, Canonical XML 1.1.

Trusts: lxml's parser and canonical form.  Does not trust: the document; it reaches nothing outside.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from hashlib import sha384
from typing import Any

import msgspec

from teeproof.core.errors import Malformed, NotAuthentic, TooLarge
from teeproof.evidence.nvidia.certificates import Certificate, parse_der
from teeproof.evidence.nvidia.issuance import signed_raw

__all__ = ["MAX_DOCUMENT_BYTES", "Signed", "parse", "peek", "read", "require"]

MAX_DOCUMENT_BYTES = 256 << 10  # real ones have some 25 KB
MAX_NAMESPACES = 32
MAX_ELEMENTS = 2048
MAX_ATTRIBUTES = 128  # of one element; real ones have some ten, and one for each of 64 digests
MAX_CERTIFICATES = 6

DS = "{http://www.w3.org/2000/09/xmldsig#}"
_XML = "{http://www.w3.org/XML/1998/namespace}"
C14N = "http://www.w3.org/2006/12/xml-c14n11"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
ECDSA_SHA384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
SHA384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"
_DECLARATION = re.compile(
    r"<\?xml version=[\"']1\.0[\"'](?: encoding=[\"'](?:utf|UTF)-8[\"'])?"
    r"(?: standalone=[\"'](?:yes|no)[\"'])?\s*\?>"
)


class Signed(msgspec.Struct, frozen=True):
    """A document's signature, not yet checked.

    Attributes:
        content: canonical bytes of the document without its signature.
        digest: what the signature says that SHA-384 of ``content`` is.
        info: the canonical bytes that are signed; they hold ``digest``.
        signature: r then s, 48 bytes each.
        certificates: the signer's first.
    """

    content: bytes
    digest: bytes
    info: bytes
    signature: bytes
    certificates: tuple[Certificate, ...]


def parse(data: bytes) -> Signed:
    """Return the signature of a document and what it covers.

    Raises:
        TooLarge: more than ``MAX_DOCUMENT_BYTES``.
        Malformed: not XML, or not of the one form.
    """
    root = read(data)
    signature = _only_signature(root)
    info, value, keys = _children(signature, "SignedInfo", "SignatureValue", "KeyInfo")
    digest = _digest(info)
    found = _certificates(keys)
    # Canonical in its context, namespaces of its ancestors included, so before it is taken out.
    signed = _canonical(info)
    _take_out(signature)
    return Signed(
        content=_canonical(root),
        digest=digest,
        info=signed,
        signature=_base64(value, 96),
        certificates=found,
    )


def require(signed: Signed) -> None:
    """Check digest and signature with the first certificate's key; else NotAuthentic."""
    got = sha384(signed.content).digest()
    if got != signed.digest:
        raise NotAuthentic(
            "the manifest was changed after it was signed",
            code="rim_digest",
            expected=signed.digest.hex(),
            got=got.hex(),
        )
    signer = signed.certificates[0]
    if not signed_raw(signer.key, signed.signature, signed.info):
        raise NotAuthentic(f"{signer.subject} did not sign this manifest", code="rim_signature")


def read(data: bytes) -> Any:
    """Return the root element of a document that could mean only one thing to any reader."""
    from lxml import etree  # noqa: PLC0415  the import costs 45 ms and few commands need it

    if len(data) > MAX_DOCUMENT_BYTES:
        raise TooLarge(
            "this is too large for a reference manifest",
            expected=f"at most {MAX_DOCUMENT_BYTES} bytes",
            got=f"{len(data)} bytes",
        )
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise _malformed("UTF-8 text", "other bytes") from None
    body = text[end.end() :] if (end := _DECLARATION.match(text)) else text
    if not body.lstrip(" \t\r\n").startswith("<"):
        raise _malformed("an element at the beginning", repr(body[:20]))
    for mark in ("<!", "<?", "\0"):
        if mark in body:
            raise _malformed("elements and nothing else", f"{mark!r} in it")
    # Canonicalisation costs the square of what is declared; real manifests declare four.
    if body.count("xmlns") > MAX_NAMESPACES:
        raise _malformed(f"at most {MAX_NAMESPACES} namespaces", str(body.count("xmlns")))
    # Nothing of these is left to resolve; a parser that is asked not to is one more wall.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False,
        huge_tree=False, collect_ids=False,
    )  # fmt: skip
    try:
        root = etree.fromstring(body.encode(), parser)
    except etree.LxmlError as error:
        raise _malformed("XML", str(error)[:200]) from None
    _check_plain(root)
    return root


def _canonical(element: Any) -> bytes:
    from lxml import etree  # noqa: PLC0415  as above

    try:
        found: bytes = etree.tostring(element, method="c14n", with_tail=False)
    except etree.LxmlError:  # relative names of namespaces have no canonical form
        raise _malformed("XML with a canonical form", "XML without one") from None
    return found


def peek(data: bytes, tag: str) -> dict[str, str]:
    """Return the attributes of the first such element, unverified: what a document claims."""
    element = read(data).find(tag)
    return {} if element is None else dict(element.attrib)


def _check_plain(root: Any) -> None:
    for count, element in enumerate(root.iter(), 1):
        if count > MAX_ELEMENTS:
            raise _malformed(f"at most {MAX_ELEMENTS} elements", "more")
        if not isinstance(element.tag, str):
            raise _malformed("elements and nothing else", "an entity or an instruction")
        # Canonicalisation puts them in order, and that costs the square of their number.
        if len(element.attrib) > MAX_ATTRIBUTES:
            raise _malformed(
                f"at most {MAX_ATTRIBUTES} attributes of an element", str(len(element.attrib))
            )
        for name in element.attrib:
            if name.startswith(_XML):
                raise _malformed("no xml: attributes", name)


def _only_signature(root: Any) -> Any:
    signatures = [child for child in root if child.tag == f"{DS}Signature"]
    elsewhere = [
        element
        for child in root
        if child.tag != f"{DS}Signature"
        for element in child.iter()
        if element.tag.startswith(DS)
    ]
    if root.tag.startswith(DS) or elsewhere or len(signatures) != 1:
        raise _malformed(
            "one signature, at the top level",
            f"{len(signatures)} there, {len(elsewhere)} parts of signatures elsewhere",
        )
    return signatures[0]


def _children(parent: Any, *names: str) -> list[Any]:
    """Return exactly these children; text between them must be white space."""
    found = list(parent)
    if [child.tag for child in found] != [f"{DS}{name}" for name in names]:
        raise _malformed(
            f"{', '.join(names)} in {_local(parent)}", ", ".join(_local(c) for c in found)[:200]
        )
    texts = [parent.text, *(child.tail for child in found)]
    if any(text and text.strip() for text in texts):
        raise _malformed(f"no text in {_local(parent)}", "text")
    return found


def _digest(info: Any) -> bytes:
    method, signer, reference = _children(
        info, "CanonicalizationMethod", "SignatureMethod", "Reference"
    )
    transforms, hashing, value = _children(reference, "Transforms", "DigestMethod", "DigestValue")
    first, second = _children(transforms, "Transform", "Transform")
    for element, algorithm in (
        (method, C14N), (signer, ECDSA_SHA384), (first, ENVELOPED), (second, C14N),
        (hashing, SHA384),
    ):  # fmt: skip
        if dict(element.attrib) != {"Algorithm": algorithm} or len(element) or element.text:
            raise _malformed(f"{_local(element)} {algorithm}", str(dict(element.attrib))[:200])
    if dict(reference.attrib) != {"URI": ""}:
        raise _malformed("a reference to the whole document", str(dict(reference.attrib))[:200])
    if info.attrib or transforms.attrib or value.attrib:
        raise _malformed("no attributes in SignedInfo", "attributes")
    return _base64(value, 48)


def _certificates(keys: Any) -> tuple[Certificate, ...]:
    (data,) = _children(keys, "X509Data")
    if not 2 <= len(data) <= MAX_CERTIFICATES:
        raise _malformed(f"2 to {MAX_CERTIFICATES} certificates", f"{len(data)}")
    blocks = _children(data, *["X509Certificate"] * len(data))
    return tuple(parse_der(_base64(block), what="manifest's certificate chain") for block in blocks)


def _take_out(signature: Any) -> None:
    """Remove an element, and keep the text that follows it."""
    parent, before = signature.getparent(), signature.getprevious()
    tail = signature.tail or ""
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    signature.tail = None
    parent.remove(signature)


def _base64(element: Any, size: int | None = None) -> bytes:
    text = "".join((element.text or "").split())
    try:
        raw = b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if len(element) or not raw or b64encode(raw).decode() != text or size not in (None, len(raw)):
        raise _malformed(f"base64 in {_local(element)}", text[:40])
    return raw


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2][:60]


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        f"this is not a reference manifest as NVIDIA signs them: expected {expected}, got {got}",
        code="rim_malformed",
        expected=expected,
        got=got,
    )

"""Ask NVIDIA for manifests of drivers and VBIOSes, and whether certificates are revoked.

    GET  /v1/rim/{id}    {"id": …, "rim": base64 of the manifest, …}
    POST /               an OCSP request (RFC 6960) with a nonce, for one certificate

The manifest's id is not signed: what is in the manifest decides. An answer must repeat the nonce,
or somebody may be playing back an old one; a responder that cannot is configured as such.

Sources: NVIDIA/nvtrust for both services; RFC 6960 and RFC 8954 (nonce).

Trusts: NVIDIA's pinned roots.  Does not trust: network, servers.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import OCSPNonce, ocsp

from teeproof.core.digests import sha384
from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.der import BITS, SEQUENCE, elements, only
from teeproof.evidence.fetch.web import Web
from teeproof.evidence.kept.nvidia import ID
from teeproof.evidence.nvidia import handed
from teeproof.evidence.nvidia.certificates import Certificate
from teeproof.evidence.nvidia.ocsp import MAX_ANSWER_BYTES
from teeproof.evidence.nvidia.xmlsig import MAX_DOCUMENT_BYTES
from teeproof.evidence.x509 import UNREADABLE

__all__ = ["NONCE_BYTES", "ask_about", "fetch_manifest", "nonce_of", "request_for"]

NONCE_BYTES = 32  # RFC 8954, 2.1: 1 to 32
_MAX_ANSWER = 2 * MAX_DOCUMENT_BYTES  # base64, and a few fields beside it


def fetch_manifest(name: str, web: Web) -> bytes:
    """Return the manifest (XML) that the service has under an id; nothing of it is verified.

    Raises:
        Malformed: what came is no such answer.
        NotServed: there is no such manifest; Unavailable, TooLarge: as ``Web.get``.
    """
    if not ID.fullmatch(name):
        raise Malformed(
            "the report names a version that no manifest's id can have",
            code="rim_id_malformed",
            got=ascii(name[:100]),
        )
    reply = web.get("rim", f"/v1/rim/{name}", what=f"manifest {name}", limit=_MAX_ANSWER)
    found = handed.read(reply.content)
    if found.id != name:
        raise Malformed(
            "the server sent another manifest than the one that was asked for",
            code="rim_unfit",
            expected=name,
            got=ascii(found.id)[:100],
        )
    return found.xml


def ask_about(
    certificate: Certificate,
    issuer: Certificate,
    web: Web,
    *,
    randomness: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """Return the responder's answer (DER) about a certificate; only its nonce is looked at.

    Raises:
        NotAuthentic: it does not repeat the nonce.
        Malformed: it is no OCSP answer. Unavailable, TooLarge: as ``Web.post``.
    """
    nonce = randomness(NONCE_BYTES)
    answer = web.post(
        "ocsp",
        "",
        request_for(certificate, issuer, nonce=nonce),
        form="application/ocsp-request",
        what=f"OCSP answer about {certificate.subject}",
        limit=MAX_ANSWER_BYTES,
    ).content
    got = nonce_of(answer)
    if got != nonce and (got is not None or web.services.ocsp_nonce):
        raise NotAuthentic(
            "the OCSP answer does not repeat the nonce of the request, so it may be an old one"
            " played back: ask again; a responder that hands out stored answers is configured with"
            " ocsp-nonce = false",
            code="ocsp_nonce",
            expected=nonce.hex(),
            got=got.hex() if got else "none",
        )
    return answer


def request_for(certificate: Certificate, issuer: Certificate, *, nonce: bytes) -> bytes:
    """Return an OCSP request (DER), with SHA-384 as NVIDIA's tools; Malformed if there is none."""
    key = elements(only(issuer.spki, SEQUENCE))[1]
    assert key[0] == BITS, "a certificate was accepted whose key has another form"
    try:
        builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
            sha384(issuer.name_der), sha384(key[1][1:]), certificate.serial, hashes.SHA384()
        )
        request = builder.add_extension(OCSPNonce(nonce), critical=False).build()
    except (ValueError, OverflowError) as error:
        raise Malformed(
            f"nobody can be asked about the certificate of {certificate.subject}",
            code="certificates_malformed",
            got=str(error)[:200],
        ) from None
    return request.public_bytes(Encoding.DER)


def nonce_of(answer: bytes) -> bytes | None:
    """Return the nonce in an OCSP answer; None if it has none. Malformed if it is no answer."""
    try:
        response = ocsp.load_der_ocsp_response(answer)
        if response.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise ValueError(f"the responder says {response.response_status.name}")
        found = [each.value for each in response.extensions if isinstance(each.value, OCSPNonce)]
    except UNREADABLE as error:
        raise Malformed(
            "what the server sent is no OCSP answer",
            code="ocsp_malformed",
            expected="a successful OCSP answer",
            got=str(error)[:200],
        ) from None
    return found[0].nonce if found else None

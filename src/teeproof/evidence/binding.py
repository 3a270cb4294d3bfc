"""What a workload puts into report_data, and which recipe made a given one.

Every workload of ours uses one recipe: D = SHA-256 of a short statement that names its keyset and a
nonce; report_data is D and 32 zero bytes. Challenges and job digests enter only through the nonce.
The other recipes are those of dstack and of older inference services, so that their quotes can be
explained. A hash that is cut short, or made with another tag, matches nothing.

Source: ACI (``aci.report_data.v1``); dstack-attest, ``QuoteContentType``; dstack guest-agent.

Trusts: SHA-2 and SHA-3.  Does not trust: whoever names the candidates.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from teeproof.core.digests import framed_sha256, parse_named, sha256
from teeproof.core.errors import Usage

__all__ = [
    "DSTACK_TAGS",
    "REPORT_DATA_BYTES",
    "Explanation",
    "Recipe",
    "address_and_nonce",
    "app_key",
    "binding",
    "dstack",
    "explain_report_data",
    "job_nonce",
    "report_data_for",
    "statement",
    "workload",
]

REPORT_DATA_BYTES = 64
DSTACK_TAGS = ("app-data", "ratls-cert", "kms-root-ca")
_JOB_LABEL = "teeproof.job-nonce.v1"
_HASHES: Mapping[str, str | int] = MappingProxyType(
    {
        "sha256": "sha256",
        "sha384": "sha384",
        "sha512": "sha512",
        "sha3-256": "sha3_256",
        "sha3-384": "sha3_384",
        "sha3-512": "sha3_512",
        "keccak256": 256,
        "keccak384": 384,
        "keccak512": 512,
    }
)
_APP_KEYS = {"ed25519": ("ed25519-pk", 32), "secp256k1": ("secp256k1c-pk", 33)}


class Recipe(msgspec.Struct, frozen=True):
    """One way in which report_data may have been made.

    Attributes:
        name: what to call it in messages.
        report_data: the 64 bytes that it gives.
        content: of dstack's recipes, what was hashed: it lets a wrong tag be recognised.
    """

    name: str
    report_data: bytes
    content: bytes | None = None


class Explanation(msgspec.Struct, frozen=True):
    """Which recipe made a report_data.

    Attributes:
        recipe: its name; None if none of the candidates did.
        detail: one sentence.
    """

    recipe: str | None
    detail: str


def statement(keyset_digest: str, *, nonce: str | None) -> bytes:
    """Return the bytes that D is the SHA-256 of: ACI's statement, as RFC 8785 writes it.

    Args:
        keyset_digest: ``sha256:<hex>`` of the keyset.
        nonce: the verifier's, or a ``job_nonce``; None where nobody asked.

    Raises:
        Malformed: ``keyset_digest`` is not such a digest.
        Usage: ``nonce`` is not Unicode text.
    """
    parse_named(keyset_digest)
    text = json.dumps(nonce, ensure_ascii=False)
    try:
        quoted = text.encode()
    except UnicodeEncodeError:
        raise Usage("the nonce is not Unicode text", code="nonce_malformed") from None
    return (
        b'{"keyset_digest":"%s","nonce":%s,"purpose":"aci.report_data.v1"}'
        % (keyset_digest.encode(), quoted)
    )  # fmt: skip


def binding(keyset_digest: str, *, nonce: str | None) -> bytes:
    """Return D, 32 bytes; arguments as in ``statement``."""
    return sha256(statement(keyset_digest, nonce=nonce))


def report_data_for(keyset_digest: str, *, nonce: str | None) -> bytes:
    """Return a workload's report_data, 64 bytes: D, then zeros; arguments as in ``statement``."""
    return _padded(binding(keyset_digest, nonce=nonce))


def workload(keyset_digest: str, *, nonce: str | None) -> Recipe:
    """Return the recipe of every workload of ours; arguments as in ``statement``."""
    return Recipe("the workload's keyset and nonce", report_data_for(keyset_digest, nonce=nonce))


def job_nonce(job_digest: bytes, *, nonce: bytes) -> str:
    """Return the nonce that ties evidence to one job and to one verifier's nonce.

    Args:
        job_digest: 32 bytes, the job's digest.
        nonce: the verifier's own, any length.

    Returns:
        64 hex digits.
    """
    return framed_sha256(_JOB_LABEL, job_digest, nonce).hex()


def dstack(content: bytes, *, tag: str = "app-data", algorithm: str = "sha512") -> Recipe:
    """Return dstack's recipe: hash of tag, ``:`` and content, right-padded with zeros.

    Args:
        content: what is bound; for ``ratls-cert`` the certificate's SubjectPublicKeyInfo (DER).
        tag: one of ``DSTACK_TAGS``, or any prefix that an application chose (tappd).
        algorithm: a hash that tappd knows; ``raw`` takes 64 bytes of content as they are.

    Raises:
        Usage: another algorithm, or ``raw`` with another length.
    """
    if algorithm == "raw":
        if len(content) != REPORT_DATA_BYTES:
            raise Usage("raw report data has 64 bytes", code="report_data_malformed")
        return Recipe("raw report data", content)
    value = _padded(_hash(algorithm, tag.encode() + b":" + content))
    return Recipe(f'dstack\'s {algorithm} with tag "{tag}"', value, content)


def app_key(public_key: bytes, *, algorithm: str) -> Recipe:
    """Return the recipe of dstack's public worker: an application's key in ASCII, zero-padded.

    Args:
        public_key: 32 bytes (``ed25519``) or 33 bytes, compressed (``secp256k1``).
        algorithm: one of the two.

    Raises:
        Usage: another algorithm or length.
    """
    label, size = _APP_KEYS.get(algorithm, ("", -1))
    if len(public_key) != size:
        raise Usage("this is not an application's public key", code="public_key_malformed")
    encoded = base64.urlsafe_b64encode(public_key).rstrip(b"=")
    return Recipe(
        f"dstack's {algorithm} application key", _padded(b"dip1::%s:%s" % (label.encode(), encoded))
    )


def address_and_nonce(address: bytes, *, nonce: bytes) -> Recipe:
    """Return the recipe of older inference services: address, padded to 32 bytes, then nonce.

    Args:
        address: 20 bytes (Ethereum address) or 32 bytes (Ed25519 key).
        nonce: 32 bytes.

    Raises:
        Usage: other lengths.
    """
    if len(address) not in (20, 32) or len(nonce) != 32:
        raise Usage("an address has 20 or 32 bytes, a nonce 32", code="report_data_malformed")
    return Recipe("signing address and nonce", address.ljust(32, b"\0") + nonce)


def explain_report_data(report_data: bytes, *, candidates: Iterable[Recipe]) -> Explanation:
    """Return which candidate made these 64 bytes: exactly one form counts, to the last byte."""
    recipes = tuple(candidates)
    for recipe in recipes:
        if recipe.report_data == report_data:
            return Explanation(recipe.name, f"report_data is made of {recipe.name}")
    if not any(report_data):
        return Explanation(None, "report_data is zero: the evidence is bound to nothing")
    for recipe in recipes:
        near = _near(recipe, report_data)
        if near:
            return Explanation(None, f"report_data matches nothing, and resembles {near}")
    return Explanation(None, "report_data matches none of the recipes that were tried")


def _near(recipe: Recipe, report_data: bytes) -> str | None:
    kept = report_data.rstrip(b"\0")
    if len(kept) >= 8 and recipe.report_data.startswith(kept):
        return f"{recipe.name}, cut after {len(kept)} bytes"
    if recipe.content is None:
        return None
    for tag in DSTACK_TAGS:
        if dstack(recipe.content, tag=tag).report_data == report_data:
            return f'{recipe.name}, made with the tag "{tag}": a quote for another purpose'
    if _padded(_hash("sha512", recipe.content)) == report_data:
        return f"{recipe.name}, made without a tag"
    return None


def _hash(algorithm: str, data: bytes) -> bytes:
    kind = _HASHES.get(algorithm)
    if kind is None:
        raise Usage("this hash is not one of tappd's", code="hash_unknown", got=algorithm[:40])
    if isinstance(kind, str):
        return hashlib.new(kind, data).digest()
    from Crypto.Hash import keccak  # noqa: PLC0415  the import costs 20 ms and few need it

    digest: bytes = keccak.new(digest_bits=kind, data=data).digest()
    return digest


def _padded(value: bytes) -> bytes:
    return value.ljust(REPORT_DATA_BYTES, b"\0")

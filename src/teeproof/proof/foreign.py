"""Predicates of other parties that fit: where they name their author and their inputs.

The author must be an identity of ours, written ``urn:teeproof:identity:sha256:…`` where the format
names its builder or verifier; otherwise the statement has no author that anyone could check.

An input without a SHA-256, such as a git commit or an address, cannot be joined to a statement that
made it. It is kept as words, so that a verdict can say that it comes from outside. That loses
nothing: whoever wants to hide an input can leave it out. One that names a statement of ours must
have a SHA-256, since there the edge is to be held against what that statement made.

Sources: SLSA provenance v1 (``runDetails.builder.id``, ``buildDefinition.resolvedDependencies``);
SLSA verification summary v1 (``verifier.id``, ``inputAttestations``).

Trusts: nothing.  Does not trust: whoever wrote the predicate.
"""

from __future__ import annotations

from typing import Any

from teeproof.proof.links import Material, check_digests

__all__ = ["IDENTITY_URN", "SLSA_PROVENANCE", "STATEMENT_URN", "VSA", "read"]

SLSA_PROVENANCE = "https://slsa.dev/provenance/v1"
VSA = "https://slsa.dev/verification_summary/v1"
IDENTITY_URN = "urn:teeproof:identity:"
STATEMENT_URN = "urn:teeproof:statement:"
_LONGEST = 200  # characters of an input's name


def read(
    predicate_type: str, predicate: Any
) -> tuple[str | None, tuple[Material, ...], tuple[str, ...]]:
    """Return author (``sha256:…``), materials, and inputs that cannot be joined, in words.

    Raises:
        ValueError: an input without any digest or address, or a digest that is none.
    """
    if predicate_type == SLSA_PROVENANCE:
        author = _at(predicate, "runDetails", "builder", "id")
        inputs = _at(predicate, "buildDefinition", "resolvedDependencies")
        role = "dependency"
    elif predicate_type == VSA:
        author, inputs = _at(predicate, "verifier", "id"), _at(predicate, "inputAttestations")
        role = "attestation"
    else:
        return None, (), ()
    materials, outside = [], []
    for given in inputs or ():
        if isinstance(given, dict) and _is_outside(given):
            outside.append(_in_words(given, role))
        else:
            materials.append(_material(given, role))
    return _identity(author), tuple(materials), tuple(outside)


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _identity(given: Any) -> str | None:
    if isinstance(given, str) and given.startswith(IDENTITY_URN):
        return given.removeprefix(IDENTITY_URN)
    return None


def _is_outside(given: dict[str, Any]) -> bool:
    """Return whether an input has neither a SHA-256 nor the name of a statement of ours."""
    digest, uri = given.get("digest"), given.get("uri")
    joined = isinstance(uri, str) and uri.startswith(STATEMENT_URN)
    if joined or (isinstance(digest, dict) and "sha256" in digest):
        return False
    return bool(digest) or isinstance(uri, str)


def _in_words(given: dict[str, Any], role: str) -> str:
    """Return what names such an input: its first digest, or its address."""
    digest = given.get("digest") or {}
    if not isinstance(digest, dict) or not all(isinstance(text, str) for text in digest.values()):
        raise ValueError("a digest that is not text")
    check_digests(digest)
    named = [f"{algorithm}:{digits}" for algorithm, digits in sorted(digest.items())]
    return f"{role} {named[0] if named else given['uri']}"[:_LONGEST]


def _material(given: Any, role: str) -> Material:
    if not isinstance(given, dict) or not isinstance(given.get("digest"), dict):
        raise ValueError("a dependency without a digest")
    name, digest = given.get("name"), given["digest"]
    if not all(isinstance(value, str) for value in digest.values()):
        raise ValueError("a digest that is not text")
    uri = given.get("uri")
    parent = uri.removeprefix(STATEMENT_URN) if isinstance(uri, str) else uri
    return Material(
        digest=digest,
        name=name if isinstance(name, str) else None,
        role=role,
        statement=parent if parent != uri else None,
    )

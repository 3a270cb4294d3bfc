"""Predicates of other parties that fit: where they name their author and their inputs.

The author must be an identity of ours, written ``urn:teeproof:identity:sha256:…`` where the format
names its builder or verifier; otherwise the statement has no author that anyone could check.

Sources: SLSA provenance v1 (``runDetails.builder.id``, ``buildDefinition.resolvedDependencies``);
SLSA verification summary v1 (``verifier.id``, ``inputAttestations``).

Trusts: nothing.  Does not trust: whoever wrote the predicate.
"""

from __future__ import annotations

from typing import Any

from teeproof.proof.links import Material

__all__ = ["IDENTITY_URN", "SLSA_PROVENANCE", "VSA", "read"]

SLSA_PROVENANCE = "https://slsa.dev/provenance/v1"
VSA = "https://slsa.dev/verification_summary/v1"
IDENTITY_URN = "urn:teeproof:identity:"


def read(predicate_type: str, predicate: Any) -> tuple[str | None, tuple[Material, ...]]:
    """Return the author (``sha256:…``) and the materials of a predicate, as far as it has them."""
    if predicate_type == SLSA_PROVENANCE:
        author = _at(predicate, "runDetails", "builder", "id")
        inputs = _at(predicate, "buildDefinition", "resolvedDependencies")
        role = "dependency"
    elif predicate_type == VSA:
        author, inputs = _at(predicate, "verifier", "id"), _at(predicate, "inputAttestations")
        role = "attestation"
    else:
        return None, ()
    return _identity(author), tuple(_material(given, role) for given in inputs or ())


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _identity(given: Any) -> str | None:
    if isinstance(given, str) and given.startswith(IDENTITY_URN):
        return given.removeprefix(IDENTITY_URN)
    return None


def _material(given: Any, role: str) -> Material:
    if not isinstance(given, dict) or not isinstance(given.get("digest"), dict):
        raise ValueError("a dependency without a digest")
    name, digest = given.get("name"), given["digest"]
    if not all(isinstance(value, str) for value in digest.values()):
        raise ValueError("a digest that is not text")
    uri = given.get("uri")
    parent = uri.removeprefix("urn:teeproof:statement:") if isinstance(uri, str) else uri
    return Material(
        digest=digest,
        name=name if isinstance(name, str) else None,
        role=role,
        statement=parent if parent != uri else None,
    )

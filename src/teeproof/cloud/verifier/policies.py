"""The policies that clients may name: the built-in ones, and those of the operator.

A client names a policy and never brings one: what a verifier holds evidence against is for whoever
runs it to say.

Trusts: the operator.  Does not trust: the names that clients send.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from teeproof.core.errors import Usage
from teeproof.evidence.policy import BUILT_IN, parse_policy, policy_text

__all__ = ["NamedPolicy", "Policies"]


class NamedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy that clients may name.

    Attributes:
        name: its name.
        description: one sentence.
        digest: ``sha256:…``.
        text: TOML.
    """

    name: str
    description: str
    digest: str
    text: bytes

    @classmethod
    def of(cls, text: bytes) -> NamedPolicy:
        """Return a policy as its file has it; Usage or Malformed if it is none."""
        policy = parse_policy(text)
        return cls(
            name=policy.name, description=policy.description, digest=policy.digest, text=text
        )


class Policies:
    """All of them.

    Args:
        more: files (TOML) besides the built-in policies.

    Raises:
        Usage: two have one name, code ``policy_name_taken``; or a file is no policy.
    """

    def __init__(self, more: Iterable[bytes] = ()) -> None:
        self._found = {name: NamedPolicy.of(policy_text(name).encode()) for name in BUILT_IN}
        for policy in map(NamedPolicy.of, more):
            if policy.name in self._found:
                raise Usage(
                    f"two policies are called {policy.name}: give yours a name of its own",
                    code="policy_name_taken",
                    got=policy.name,
                )
            self._found[policy.name] = policy

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, the built-in ones first."""
        return tuple(self._found)

    def named(self, name: str) -> NamedPolicy:
        """Return the policy of this name; Usage, code ``policy_unknown``, if there is none."""
        found = self._found.get(name)
        if found is None:
            raise Usage(
                "this verifier has no policy of this name: GET /v1/policies lists them",
                code="policy_unknown",
                expected=", ".join(self._found),
                got=name[:100],
            )
        return found

    def to_json(self) -> list[dict[str, str]]:
        """Return name, description and digest of each."""
        return [
            {"name": policy.name, "description": policy.description, "digest": policy.digest}
            for policy in self._found.values()
        ]

"""How strong is what hangs on a root: hardware below a pinned one, simulated below a marked one.

Trusts: the pinned roots that are passed in.  Does not trust: names; only the key counts.
"""

from __future__ import annotations

from typing import Protocol

from teeproof.core.errors import NotAuthentic
from teeproof.evidence.verdict import Level

__all__ = ["Root", "require_root"]


class Root(Protocol):
    """A vendor's certificate at the end of a chain."""

    @property
    def fingerprint(self) -> str:
        """``sha256:…`` of its SubjectPublicKeyInfo."""

    @property
    def simulated(self) -> bool:
        """Whether it carries the mark of a simulator's root."""

    @property
    def subject(self) -> str:
        """Its common name, for messages."""


def require_root(
    root: Root, roots: frozenset[str], *, code: str, where: str = "the chain ends in"
) -> tuple[str, Level]:
    """Return one sentence and the level of what hangs on a root; NotAuthentic(``code``) if none.

    Args:
        root: the certificate.
        roots: fingerprints of those that are pinned.
        code: of the error.
        where: where it stands, for the error.
    """
    # Whoever pins a simulator's root as a vendor's is mistaken: it is never hardware.
    if root.simulated:
        return f"{root.subject}: a simulator's root, marked as such", "simulated"
    if root.fingerprint in roots:
        return f"{root.subject}, by its pinned key {root.fingerprint[:23]}…", "hardware"
    raise NotAuthentic(
        f"{where} a root that nobody pinned, whatever its name says ({root.subject})",
        code=code,
        expected=" or ".join(sorted(roots)) or "no root is pinned",
        got=root.fingerprint,
    )

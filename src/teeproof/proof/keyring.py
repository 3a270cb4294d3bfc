"""The private keys of one workload: made in memory, used by role, and never printed.

A role decides what its key can be made to sign: the ``chain`` key signs EIP-712 digests only, and
every key but ``statement`` signs an identity statement once, to prove that the workload holds it.

Source: EIP-712.

Trusts: this process's memory and random source.  Does not trust: whoever asks for another role.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from teeproof.core.digests import keccak256, sha256
from teeproof.core.errors import Usage
from teeproof.proof import signing
from teeproof.proof.keys import ROLES, Algorithm, Key

__all__ = ["Keyring", "identity_digest_712", "verify_possession"]


class Keyring:
    """Private keys by role and algorithm.

    Args:
        secrets: 32 bytes each; ``Keyring.new`` draws them.
    """

    def __init__(self, secrets: dict[tuple[str, Algorithm], bytes]) -> None:
        self._secrets = dict(secrets)
        self._expanded: dict[str, bytes] = {}  # of Ed25519 keys; gone with the ring

    @classmethod
    def new(
        cls,
        roles: Iterable[str | tuple[str, Algorithm]],
        *,
        random: Callable[[int], bytes] = os.urandom,
    ) -> Keyring:
        """Return a ring with fresh keys.

        Args:
            roles: roles, or pairs of role and algorithm; a role alone takes its first algorithm.
            random: the random source.

        Raises:
            Usage: a role, or an algorithm of it, that key documents do not have.
        """
        secrets: dict[tuple[str, Algorithm], bytes] = {}
        for given in roles:
            place = _place(given)
            secrets[place] = signing.draw(place[1], random)
        return cls(secrets)

    def __repr__(self) -> str:
        """Name the roles, and nothing else."""
        return f"Keyring({', '.join(sorted(role for role, _ in self._secrets))})"

    def __reduce__(self) -> Any:
        """Refuse to be pickled or copied: secrets leave only through ``secret``."""
        raise TypeError("a keyring is not copied or pickled")

    def public(self, *, domain: str | None = None) -> tuple[Key, ...]:
        """Return the public keys, for a key document; ``domain`` is that of the ``tls`` key."""
        return tuple(
            Key(
                role=role,
                algorithm=algorithm,
                public_key=signing.public_key(algorithm, secret).hex(),
                domain=domain if role == "tls" else None,
            )
            for (role, algorithm), secret in self._secrets.items()
        )

    def secret(self, role: str, algorithm: Algorithm | None = None) -> bytes:
        """Return a private key, 32 bytes, for whoever must hand it to a library; Usage if none."""
        for (held, kind), secret in self._secrets.items():
            if held == role and algorithm in (None, kind):
                return secret
        raise Usage(
            f"this workload has no {role} key: ask for the role when it boots", code="role_missing"
        )

    def sign(self, message: bytes) -> bytes:
        """Return the ``statement`` key's Ed25519 signature, 64 bytes."""
        return self._sign_ed25519("statement", message)

    def sign_receipt(self, message: bytes) -> bytes:
        """Return the ``receipt`` key's Ed25519 signature over ACI's signing input, 64 bytes."""
        return self._sign_ed25519("receipt", message)

    def prove_possession(self, key: Key, message: bytes) -> bytes:
        """Return the signature by which a key of the document shows that the workload holds it.

        Args:
            key: a signing key.
            message: the identity statement's pre-authentication encoding.
        """
        if key.algorithm == "ed25519":
            return self._sign_ed25519(key.role, message)
        secret = self.secret(key.role, key.algorithm)
        return signing.sign_ecdsa(key.algorithm, secret, _possession_digest(key, message))

    def _sign_ed25519(self, role: str, message: bytes) -> bytes:
        expanded = self._expanded.get(role)
        if expanded is None:
            expanded = signing.expand_ed25519(self.secret(role, "ed25519"))
            self._expanded[role] = expanded
        return signing.sign_ed25519(expanded, message)


def verify_possession(key: Key, message: bytes, signature: bytes) -> bool:
    """Return whether a signature of ``Keyring.prove_possession`` holds."""
    if key.algorithm == "ed25519":
        return signing.holds_ed25519(key.raw, message, signature)
    digest = _possession_digest(key, message)
    return signing.holds_ecdsa(key.algorithm, key.raw, digest, signature)


def identity_digest_712(message: bytes) -> bytes:
    """Return the EIP-712 digest, 32 bytes, by which an Ethereum key shows that it is held.

    Domain: name "teeproof", version "1". Struct: ``Identity(bytes32 statement)``, where statement
    is SHA-256 of ``message``. Without a chain id or contract: it authorises nothing on any chain.
    """
    domain, struct = _eip712_hashes()
    return keccak256(b"\x19\x01", domain, keccak256(struct, sha256(message)))


@lru_cache(maxsize=1)
def _eip712_hashes() -> tuple[bytes, bytes]:
    domain = keccak256(
        keccak256(b"EIP712Domain(string name,string version)"),
        keccak256(b"teeproof"),
        keccak256(b"1"),
    )
    return domain, keccak256(b"Identity(bytes32 statement)")


def _possession_digest(key: Key, message: bytes) -> bytes:
    return identity_digest_712(message) if key.algorithm == "secp256k1" else sha256(message)


def _place(given: str | tuple[str, Algorithm]) -> tuple[str, Algorithm]:
    role, algorithm = (given, None) if isinstance(given, str) else given
    allowed = ROLES.get(role, ())
    if not allowed or algorithm not in (None, *allowed):
        raise Usage(
            "there is no such role, or not with this algorithm",
            code="key_role_unknown",
            expected=", ".join(ROLES),
            got=str(given)[:100],
        )
    return role, algorithm or allowed[0]

"""The private keys of one workload: made in memory, used by role, and never printed.

A role decides what its key can be made to sign: the ``chain`` key signs EIP-712 digests only, and
every key but ``statement`` signs an identity statement once, to prove that the workload holds it.

Source: EIP-712.

Trusts: this process's memory and random source.  Does not trust: whoever asks for another role.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
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
        given: roles whose keys were given and outlive this ring.
    """

    def __init__(
        self, secrets: Mapping[tuple[str, Algorithm], bytes], *, given: Iterable[str] = ()
    ) -> None:
        self._secrets = dict(secrets)
        self._given = frozenset(given)
        self._expanded: dict[str, bytes] = {}  # of Ed25519 keys; gone with the ring

    @classmethod
    def new(
        cls,
        roles: Iterable[str | tuple[str, Algorithm]],
        *,
        given: Mapping[str, bytes] = MappingProxyType({}),
        random: Callable[[int], bytes] = os.urandom,
    ) -> Keyring:
        """Return a ring with fresh keys, but for those that are given.

        Args:
            roles: roles, or pairs of role and algorithm; a role alone takes its first algorithm.
            given: private keys by role, 32 bytes each, such as a machine derives for its code.
            random: the random source.

        Raises:
            Usage: a role, or an algorithm of it, that key documents do not have; a given key that
                is none, or whose role is not asked for.
        """
        secrets: dict[tuple[str, Algorithm], bytes] = {}
        for place in map(_place, roles):
            secret = given.get(place[0])
            secrets[place] = signing.draw(place[1], random if secret is None else _once(secret))
        unused = given.keys() - {role for role, _ in secrets}
        if unused:
            raise Usage(
                f"a key is given for a role that is not asked for: {', '.join(sorted(unused))}",
                code="key_unused",
            )
        return cls(secrets, given=given)

    @property
    def lasting(self) -> dict[str, bytes]:
        """The keys that were given, by role: an identity that follows has them too."""
        return {role: self.secret(role) for role in sorted(self._given)}

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

    def sign_typed(self, domain_separator: bytes, struct_hash: bytes) -> bytes:
        """Return the ``chain`` key's signature over EIP-712 data: r, s and v (27 or 28), 65 bytes.

        Args:
            domain_separator: 32 bytes; it must name chain and contract, which the caller sees to.
            struct_hash: 32 bytes, hashStruct of the message.

        Raises:
            Usage: a hash that has not 32 bytes, or no such key.
        """
        if len(domain_separator) != 32 or len(struct_hash) != 32:
            raise Usage(
                "EIP-712 joins two hashes of 32 bytes",
                code="digest_size",
                got=f"{len(domain_separator)} and {len(struct_hash)} bytes",
            )
        digest = keccak256(b"\x19\x01", domain_separator, struct_hash)
        return signing.sign_recoverable(self.secret("chain", "secp256k1"), digest)

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


def _once(secret: bytes) -> Callable[[int], bytes]:
    """Return a source that gives one secret; Usage if it could not be a key of any algorithm."""
    if not isinstance(secret, bytes) or len(secret) != signing.SECRET_BYTES:
        raise Usage(
            "a private key that is given has 32 bytes",
            code="key_size",
            expected=f"{signing.SECRET_BYTES} bytes",
            got=f"{len(secret)} bytes" if isinstance(secret, bytes) else type(secret).__name__,
        )
    return lambda _size: secret


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

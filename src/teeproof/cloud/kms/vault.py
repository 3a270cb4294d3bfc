"""The recipients of the KMS: whose secret is here, and whose was erased.

    recipient/<digest>   a secret, and the policy that files are sealed under for it
    withdrawn/<digest>   a tombstone: whose it was, and the statement of its erasure
    policy/<digest>      how many recipients were made for a policy

Trusts: the state.  Does not trust: what a file's header claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from teeproof.cloud.kms.policy import ReleasePolicy
from teeproof.cloud.kms.state import State
from teeproof.core.digests import named
from teeproof.core.errors import NotAllowed, TooLarge, Unavailable
from teeproof.core.sealed import Header, PrivateRecipient
from teeproof.proof.envelope import Envelope

__all__ = ["Held", "Vault"]

_MAX_PER_POLICY = 256


class Held(NamedTuple):
    """What is known of a recipient.

    Attributes:
        owner: who may withdraw it.
        erased: the statement of its erasure; None while its secret is here.
        made: ``sha256:…`` of the statement that it was made with.
    """

    owner: str
    erased: Envelope | None
    made: str


class Vault:
    """The recipients in a state."""

    def __init__(self, state: State) -> None:
        self._state = state

    def rows_to_add(
        self, private: PrivateRecipient, policy: ReleasePolicy, said: Envelope
    ) -> dict[str, Any]:
        """Return the rows with which a recipient is there; ``said`` is the statement about it.

        Raises:
            TooLarge: code ``recipients_too_many``; of this policy.
        """
        counted = f"policy/{policy.digest.hex()}"
        made = (self._state.get(counted) or 0) + 1
        if made > _MAX_PER_POLICY:
            raise TooLarge(
                "too many recipients were made for this policy: sign another",
                code="recipients_too_many",
                expected=f"at most {_MAX_PER_POLICY}",
            )
        row = {
            "secret": private.secret_text,
            "policy": policy.encode().decode(),
            "made": named(said.id),
        }
        return {f"recipient/{private.public.digest.hex()}": row, counted: made}

    def rows_to_erase(self, recipient: str, held: Held, said: Envelope) -> dict[str, Any]:
        """Return the rows with which a recipient is erased, and a tombstone is there."""
        stone = {"owner": held.owner, "made": held.made, "statement": said.encode().decode()}
        return {f"recipient/{recipient}": None, f"withdrawn/{recipient}": stone}

    def held(self, recipient: str) -> Held:
        """Return what is known of a recipient; Unavailable (``recipient_unknown``) if nothing is.

        Args:
            recipient: its digest, hex.
        """
        row = self._state.get(f"recipient/{recipient}")
        if row is not None:
            return Held(_policy(row).owner, None, row["made"])
        stone = self._state.get(f"withdrawn/{recipient}")
        if stone is None:
            raise Unavailable(
                "this KMS has no such recipient", code="recipient_unknown", got=recipient
            )
        return Held(stone["owner"], Envelope.parse(stone["statement"].encode()), stone["made"])

    def secret_of(self, header: Header) -> PrivateRecipient:
        """Return the key pair that opens a file.

        Raises:
            NotAllowed: codes ``withdrawn``, ``recipient_unknown``, ``policy_other``.
        """
        file = header.file_id.hex()
        for entry in header.recipients:
            row = self._state.get(f"recipient/{entry.recipient.hex()}")
            if row is None:
                continue
            if _policy(row).digest != header.policy_digest:
                raise NotAllowed(
                    f"the file {file} is sealed for a recipient that was made for another policy",
                    code="policy_other",
                    expected=_policy(row).digest.hex(),
                    got=(header.policy_digest or b"").hex(),
                )
            return PrivateRecipient.parse(row["secret"])
        if self._state.get(f"withdrawn/{self.known(header)}") is not None:
            raise NotAllowed(
                f"the owner of the file {file} has withdrawn it, and its key is erased",
                code="withdrawn",
                got=self.known(header),
            )
        raise NotAllowed(
            f"the file {file} is not sealed for this KMS",
            code="recipient_unknown",
            got=", ".join(entry.recipient.hex()[:16] for entry in header.recipients[:4]),
        )

    def known(self, header: Header) -> str:
        """Return which recipient of a file is of this KMS; else the first, in hex."""
        digests = [entry.recipient.hex() for entry in header.recipients]
        for digest in digests:
            places = (f"recipient/{digest}", f"withdrawn/{digest}")
            if any(self._state.get(place) is not None for place in places):
                return digest
        return digests[0]


def _policy(row: Mapping[str, Any]) -> ReleasePolicy:
    return ReleasePolicy.parse(row["policy"].encode())

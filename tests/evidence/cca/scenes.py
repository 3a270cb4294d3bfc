"""What the tests of CCA share: the sample token, and a platform and a realm made here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from teeproof.evidence.cca import appraise
from teeproof.evidence.cca.keys import PlatformKey
from teeproof.evidence.cca.policy import CcaPolicy
from teeproof.evidence.cca.token import parse
from teeproof.evidence.cca.verify import Verification, verify
from teeproof.evidence.policy import Policy
from teeproof.evidence.simulated.cca import SimulatedCca, point, wrap
from teeproof.evidence.verdict import Check
from tests.vectors import records

__all__ = ["CCA", "CHALLENGE", "CPAK", "INSTANCE", "KEY", "RAK", "TRUSTED", "Trusted", "failures"]
__all__ += ["found", "judge", "platform_claims", "point", "realm_claims", "sample", "states"]
__all__ += ["token", "wrap"]

CCA = SimulatedCca(b"\5" * 32)
INSTANCE, CPAK, RAK = CCA.instance_id, CCA.cpak, CCA.rak
CHALLENGE = bytes(range(64))
KEY = PlatformKey(point=point(CPAK), instance_id=INSTANCE)


@dataclass(frozen=True)
class Trusted:
    """Keys of platforms that are believed, and what is expected of a realm."""

    platform_keys: tuple[PlatformKey, ...] = ()
    simulated_keys: tuple[PlatformKey, ...] = ()
    cca: CcaPolicy | None = None

    @property
    def policy(self) -> Policy:
        """The same as a policy, which names keys by their fingerprints."""
        return Policy(
            roots=tuple(key.fingerprint for key in self.platform_keys),
            simulated_roots=tuple(key.fingerprint for key in self.simulated_keys),
            cca=self.cca,
        )


TRUSTED = Trusted(platform_keys=(KEY,))


def realm_claims(**changes: Any) -> dict[int, Any]:
    """Return a realm's claims by their labels; a change names one as ``c265``."""
    return CCA.realm_claims(CHALLENGE) | {int(name[1:]): v for name, v in changes.items()}


def platform_claims(public_key: bytes) -> dict[int, Any]:
    """Return a platform's claims by their labels, for a realm with this key."""
    return CCA.platform_claims(public_key)


def token(
    platform: dict[str, Any] | None = None, realm: dict[str, Any] | None = None, **by: Any
) -> bytes:
    """Return a token with these changes of its claims; a change names one as ``c265``."""
    changes = [
        {int(name[1:]): value for name, value in (given or {}).items()}
        for given in (platform, realm)
    ]
    return CCA.token(CHALLENGE, platform=changes[0], realm=changes[1], **by)


@cache
def sample() -> bytes:
    """Return the sample token of real evidence."""
    record = next(record for record in records("other") if record.id == "cca-token")
    return record.read("cca-example-token.cbor")


def found(data: bytes, expected: Trusted = TRUSTED) -> Verification:
    """Return what verification finds."""
    return verify(
        parse(data),
        platform_keys=expected.platform_keys,
        simulated_keys=expected.simulated_keys,
    )


def judge(data: bytes, expected: Trusted = TRUSTED) -> tuple[Check, ...]:
    """Return all checks of a token."""
    verified = found(data, expected)
    more = appraise.checks(verified.facts, expected.policy) if verified.facts else []
    return (*verified.checks, *more)


def failures(checks: tuple[Check, ...]) -> list[tuple[str, str | None, str]]:
    """Return names, codes and concerns of the checks that failed."""
    return [(c.name, c.code, c.concern) for c in checks if c.state == "failed"]


def states(checks: tuple[Check, ...]) -> dict[str, str]:
    """Return the state of each check."""
    return {check.name: check.state for check in checks}

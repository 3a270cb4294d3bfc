"""Join a demo or a stack that runs: where its services are, and whom to trust of them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from teeproof.cli.demo_folder import RECORD, is_held
from teeproof.core.errors import Unavailable, Usage
from teeproof.core.home import data_directory
from teeproof.core.reading import read_bounded

if TYPE_CHECKING:
    from teeproof.cloud.kms.client import KmsClient
    from teeproof.data.client import PoolClient
    from teeproof.evidence.policy import Policy
    from teeproof.proof.log.formats.policy import TlogPolicy

__all__ = ["Joined", "join", "missing"]

_MOST = 1 << 20


@dataclass(frozen=True)
class Joined:
    """A demo's services, and its reader's trust.

    Attributes:
        folder: where it all lies.
        urls: services by name.
        kms_policy: what the KMS must be, TOML.
        codes: compose hashes of its workloads, by name.
        contracts: addresses of its contracts, by name.
    """

    folder: Path
    urls: dict[str, str]
    kms_policy: str
    codes: dict[str, str] = field(default_factory=dict)
    contracts: dict[str, str] = field(default_factory=dict)

    @cached_property
    def policy(self) -> Policy:
        """What this demo's machines are: simulated by its vendor, running one of its codes."""
        from teeproof.evidence.policy import parse_policy  # noqa: PLC0415  only who joins pays

        return parse_policy((self.folder / "policy.toml").read_bytes())

    def policy_of(self, workload: str) -> Policy:
        """Return the same for one workload: this vendor's machine, and that one code.

        Raises:
            Unavailable: nothing by this name has run (``part_missing``).
        """
        import msgspec  # noqa: PLC0415  as above

        if workload not in self.codes:
            raise missing(workload)
        return msgspec.structs.replace(self.policy, compose_hash=(self.codes[workload],))

    @cached_property
    def logs(self) -> TlogPolicy:
        """Which log and witnesses this demo's reader trusts."""
        from teeproof.proof.log.formats.policy import TlogPolicy  # noqa: PLC0415  as above

        return TlogPolicy.parse((self.folder / "trusted-logs").read_bytes())

    def url(self, service: str) -> str:
        """Return where a service is; Unavailable (``part_missing``) before it runs."""
        if service not in self.urls:
            raise missing(service)
        return self.urls[service]

    def pool(self) -> PoolClient:
        """Return a client of the pool, which believes this demo's machines and log alone."""
        from teeproof.data.client import PoolClient  # noqa: PLC0415  only who joins pays for it
        from teeproof.proof.verify import Trust  # noqa: PLC0415

        return PoolClient(self.url("pool"), trust=Trust(policy=self.policy, logs=self.logs))

    def kms(self) -> KmsClient:
        """Return a client of the KMS."""
        from teeproof.cloud.kms.client import KmsClient  # noqa: PLC0415  as above
        from teeproof.evidence.policy import parse_policy  # noqa: PLC0415

        return KmsClient(self.url("kms"), policy=parse_policy(self.kms_policy))


def missing(service: str) -> Unavailable:
    """Return the error for a service that the story has not started yet."""
    return Unavailable(
        f"there is no {service} yet: start the part of the story that makes it",
        code="part_missing", expected=f"a running {service}",
    )  # fmt: skip


def join(folder: Path | None = None) -> Joined:
    """Return the demo or stack that runs in a folder; without one, this user's.

    Raises:
        Unavailable: none runs there.
        Usage: this user runs both, and named neither (``demo_ambiguous``).
    """
    place = folder or _own()
    try:
        data = read_bounded(place / RECORD, limit=_MOST, what="demo's record")
        value = json.loads(data)
        if not is_held(place):
            raise ValueError("it has ended")
        return Joined(
            place, dict(value["urls"]), str(value["kms_policy"]), dict(value.get("codes", {})),
            dict(value.get("contracts", {})),
        )  # fmt: skip
    except (Unavailable, OSError, ValueError, KeyError, TypeError):
        raise Unavailable(
            "no demo runs here: start one in another terminal with teeproof demo, or a stack with"
            " teeproof up",
            code="demo_not_running",
            expected=f"a running demo in {place}",
        ) from None


def _own() -> Path:
    """Return the folder of what this user runs; the demo's, if nothing."""
    home = data_directory(os.environ)
    running = [place for place in (home / "demo", home / "up") if is_held(place)]
    if len(running) > 1:
        raise Usage(
            "a demo and a stack run here: say with --demo DIR which one you mean",
            code="demo_ambiguous",
            expected="one of the two",
            got=", ".join(map(str, running)),
        )
    return running[0] if running else home / "demo"

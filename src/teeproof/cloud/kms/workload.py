"""The KMS as a workload: what runs in the TEE.

Measured settings:

    TEEPROOF_MACHINES     the policy (TOML) for machines that may be given keys
    TEEPROOF_LOG_POLICY   the tlog-policy of the log in which everything is said

Trusts: the machine, the measured settings.  Does not trust: the host, its disk, whoever asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teeproof.cloud.inside import LOG_PEER, Inside
from teeproof.cloud.kms.journal import Journal
from teeproof.cloud.kms.keeper import Keeper
from teeproof.cloud.kms.service import service
from teeproof.cloud.kms.state import State
from teeproof.evidence.policy import parse_policy
from teeproof.proof.memory import MemorySource
from teeproof.proof.workload import Identity

if TYPE_CHECKING:
    from teeproof.proof.log.formats.policy import TlogPolicy
    from teeproof.proof.log.http.client import LogClient

__all__ = ["FILE", "MACHINES", "main", "open_kms"]

MACHINES = "TEEPROOF_MACHINES"
FILE = "kms.sqlite"


def main(inside: Inside) -> int:
    """Serve until told to end."""
    keeper, journal = open_kms(inside)
    inside.say(step="serving", identity=journal.me.name, guarded=journal.guarded)
    inside.serve(service(keeper, journal))
    journal.close()
    return 0


def open_kms(inside: Inside) -> tuple[Keeper, Journal]:
    """Return a KMS that has begun its session.

    Raises:
        Usage: a measured setting is missing, or the policy for machines pins no guest.
        NotAuthentic: the state was changed, or is an old one.
    """
    machines = parse_policy(inside.require(MACHINES))
    state = State.open(inside.state / FILE, key=inside.derive("kms/state"))
    log = _log(inside)

    def boot(secret: bytes, previous: bytes | None) -> Identity:
        # Kept here: the journal writes down what it is going to append before it does.
        secrets = {"statement": secret}
        return inside.boot(store=MemorySource(), secrets=secrets, previous=previous)

    store = MemorySource() if log else inside.store()
    journal = Journal(state, boot=boot, log=log, store=store, now=inside.now)
    try:
        keeper = Keeper(state, journal, policy=machines, now=inside.now)
        journal.begin()
    except BaseException:
        journal.close()
        raise
    return keeper, journal


def _log(inside: Inside) -> tuple[LogClient, TlogPolicy] | None:
    peer = inside.peer(LOG_PEER)
    if peer is None:
        return None
    from teeproof.proof.log.formats.policy import TlogPolicy  # noqa: PLC0415  only with a log
    from teeproof.proof.log.http.client import LogClient  # noqa: PLC0415
    from teeproof.proof.log.http.whose import keys_at  # noqa: PLC0415

    policy, url = TlogPolicy.parse(inside.log_policy()), inside.url(LOG_PEER)
    return LogClient(url, keys_at(url, policy), token=peer.token), policy

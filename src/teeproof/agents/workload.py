"""The agent as a workload: its mandate and what it admits are measured, its keys derived from that.

    TEEPROOF_MANDATE        measured: the mandate, canonical JSON
    TEEPROOF_MODEL_POLICY   measured: what is expected of the machine that runs the model
    peers                   model, chain, log
    /state/                 journal, outbox

The ``chain`` key is derived for this very code and mandate on this platform: it is there again
after a restart, and another mandate is another agent. The relayer's key pays for gas and signs
transactions; the fund takes no notice of it.

Trusts: the guest agent for keys and evidence.  Does not trust: the wiring, the host's files.
"""

from __future__ import annotations

import sys

from teeproof.agents.asking import Asker
from teeproof.agents.ground import Ground
from teeproof.agents.journal import Journal
from teeproof.agents.kernel import Kernel
from teeproof.agents.mandate import Mandate
from teeproof.agents.service import AgentService
from teeproof.chain.account import Account
from teeproof.chain.client import Chain
from teeproof.chain.outbox import Outbox
from teeproof.cloud.inside import Inside
from teeproof.core.errors import Unavailable
from teeproof.evidence.policy import parse_policy
from teeproof.web.oplog import to_lines

__all__ = ["MANDATE", "MODEL_POLICY", "main"]

MANDATE = "TEEPROOF_MANDATE"
"""The measured variable with the mandate."""
MODEL_POLICY = "TEEPROOF_MODEL_POLICY"
"""The measured variable with the policy for the machine that runs the model."""


def main(inside: Inside) -> int:
    """Serve until told to end."""
    mandate = Mandate.parse(inside.require(MANDATE).encode())
    policy = parse_policy(inside.require(MODEL_POLICY).encode())
    relayer = Account(inside.derive("agent-relayer"))
    secrets = {"chain": inside.derive("agent-chain")}
    identity = inside.boot(roles=("seal", "chain"), secrets=secrets)
    chain = Chain.connect(inside.url("chain"), expected_chain_id=mandate.chain_id)
    asker = Asker(inside.url("model"), policy=policy, store=identity.store, now=inside.now)
    journal = Journal.open(inside.state / "journal.sqlite", key=inside.derive("agent-journal"))
    outbox = Outbox.open(inside.state / "outbox.sqlite", chain=chain, account=relayer)
    say = to_lines(sys.stderr.write, now=inside.now)
    try:
        kernel = Kernel(
            mandate,
            identity=identity,
            journal=journal,
            asker=asker,
            ground=Ground(chain, outbox=outbox, mandate=mandate),
            now=inside.now,
        )
        try:
            kernel.resume()
        except Unavailable as error:  # what was interrupted is finished with the next instruction
            say("resume", error=error.code)
        inside.say(
            event="ready", agent=kernel.digest, address=kernel.address, relayer=relayer.address,
            mandate=mandate.digest, identity=identity.name,
        )  # fmt: skip
        inside.serve(AgentService(kernel, identity=identity, now=inside.now, say=say))
    finally:
        outbox.close()
        journal.close()
        asker.close()
        chain.close()
    return 0

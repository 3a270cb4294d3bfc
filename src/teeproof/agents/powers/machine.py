"""Who can change an agent's code and mandate, move its keys, read its memory: what evidence says.

A dstack key provider derives an app's keys from its app id. Where the id is the beginning of the
compose hash, other code is another app with other keys. Where it is not, it is the address of a
contract whose owner lists the compose hashes that get the same keys, at once and without a delay.

Sources: dstack, ``kms`` and ``DstackApp.sol`` (``addComposeHash`` is ``onlyOwner``);
``evidence.eventlog.compose.app_id_of``.

Trusts: the verdict that ``Known`` was made from.  Does not trust: the machine's host.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from teeproof.agents.known import Known
from teeproof.agents.powers.power import Power, Reason, on_this_machine, unknown
from teeproof.agents.workload import MANDATE
from teeproof.evidence.eventlog.compose import app_id_of

__all__ = ["code", "keys", "mandate", "memory"]

_CODE, _MANDATE = "change its code", "change its mandate"
_KEYS, _MEMORY = "move its keys", "read its memory"
_SHOWN = 12  # digits of a digest


def code(known: Known) -> Power:
    """Who can change its code: nobody, if it is measured, listed, whole, and bound to its keys."""
    return on_this_machine(known, _code(known))


def _code(known: Known) -> Power:
    """Return the answer as it would be on real hardware."""
    machine = known.machine
    if machine.code is None or machine.app is None or machine.compose is None:
        return unknown(
            "code", _CODE, "Not known: what it runs is not in its evidence",
            check="ask for evidence with an event log and the compose file that it measures.",
        )  # fmt: skip
    if machine.compose.unknown:
        return unknown(
            "code", _CODE, "Not known: its compose file says what this verifier does not know",
            check=f"read what these fields do: {', '.join(machine.compose.unknown)}"[:300],
        )  # fmt: skip
    policy = machine.checks.get("compose-hash")
    if policy is not None and policy.state == "failed":
        listed = Reason(
            text=f"it runs {_short(machine.code)}, and your policy lists {policy.expected}"[:300],
            kind="policy", ref="compose_hash",
        )  # fmt: skip
        return Power(name="code", question=_CODE, state="somebody", reasons=(listed,),
                     who="Whoever runs it: your policy does not list this code")  # fmt: skip
    if policy is None or policy.state != "passed":
        return unknown(
            "code", _CODE, "Not checked: your policy does not say which code you expect",
            check=f"read the code behind {machine.code} and list it in your policy as compose_hash"
            " (with the guest's image pinned): whoever chose it may have chosen anything.",
        )  # fmt: skip
    doors = tuple(_doors(known))
    if doors:
        return Power(name="code", question=_CODE, state="somebody", who=doors[0].text,
                     reasons=doors)  # fmt: skip
    return _elsewhere(known) or _nobody(known)


def _nobody(known: Known) -> Power:
    listed = _short(known.machine.code or "")
    reasons = (
        Reason(text=f"your policy lists its code, {listed}", kind="policy",
               ref="compose_hash"),
        Reason(text="its app id is the beginning of that hash: other code is another app, for which"
                    " other keys are derived", kind="evidence", ref=known.identity),
        Reason(text="its compose file names every image by digest, and leaves no setting to its"
                    " operator", kind="evidence", ref=known.identity),
    )  # fmt: skip
    return Power(name="code", question=_CODE, state="nobody", reasons=reasons,
                 who="Nobody: other code would have other keys")  # fmt: skip


def _elsewhere(known: Known) -> Power | None:
    """Return that its key may be where this evidence does not reach; None if nothing says so."""
    machine = known.machine
    if known.strangers:
        return unknown(
            "code", _CODE, "Not known: its key also signed from where nothing shows the same code",
            check=f"{len(known.strangers)} of the identities that signed its actions are not shown"
            f" to run this code on such a machine, {known.strangers[0]} among them: whoever runs"
            " that has its key.",
        )  # fmt: skip
    if machine.level == "hardware" and not machine.confidential:
        return unknown(
            "code", _CODE, "Not known: it is not shown that its host cannot look in",
            check="whoever debugs a machine changes what runs there: set debug = false in your"
            " policy, and ask for evidence that holds under it.",
        )  # fmt: skip
    return None


def _doors(known: Known) -> Iterator[Reason]:
    """Yield each way by which somebody changes what runs, although its digest is listed."""
    machine = known.machine
    own = app_id_of(bytes.fromhex(machine.code or "")).hex()
    if machine.app != own:
        yield Reason(
            text=f"Whoever owns the contract 0x{machine.app}: it may give other code these keys",
            kind="evidence", ref=known.identity,
        )  # fmt: skip
    if machine.state("guest-image") != "passed":
        yield Reason(
            text="Whoever starts it: your policy does not pin the guest's image, and any guest says"
            " that it runs this code",
            kind="policy", ref="mrtd, rtmr1, rtmr2",
        )  # fmt: skip
    if machine.state("compose-images") != "passed":
        yield Reason(
            text="Whoever serves its images: your policy does not ask that each has a digest",
            kind="policy", ref="compose_images_pinned",
        )  # fmt: skip
    if machine.compose is not None and machine.compose.allowed_envs:
        names = ", ".join(machine.compose.allowed_envs[:8])
        yield Reason(
            text=f"Its operator, who chooses settings that nobody measures: {names[:200]}",
            kind="evidence", ref=known.identity,
        )  # fmt: skip


def mandate(known: Known) -> Power:
    """Who can change its mandate: nobody, if it is part of the code that your policy lists."""
    machine, said = known.machine, known.mandate.digest
    if len(known.mandates) > 1:
        return Power(
            name="mandate", question=_MANDATE, state="somebody",
            who=f"Somebody did: its actions name {len(known.mandates)} different mandates",
            reasons=tuple(Reason(text=f"a mandate {_short(one)}", kind="statement",
                                 ref=known.statement) for one in known.mandates[:4]),
        )  # fmt: skip
    if machine.problem or machine.compose is None:
        return on_this_machine(known, unknown(
            "mandate", _MANDATE, "Not known: its compose file is not in the proof",
            check=f"ask for the compose file, and look for {MANDATE} in it.",
        ))  # fmt: skip
    if machine.mandate != said:
        got = "none" if machine.mandate is None else f"another, {_short(machine.mandate)}"
        handed = Reason(text=f"the measured compose file holds {got}: it acts under one that was"
                             " handed to it", kind="evidence", ref=known.identity)  # fmt: skip
        return Power(name="mandate", question=_MANDATE, state="somebody",
                     who="Whoever starts it", reasons=(handed,))  # fmt: skip
    reasons = (
        Reason(text=f"the mandate {_short(said)} is part of its measured code ({MANDATE}): another"
                    " mandate is other code", kind="evidence", ref=known.identity),
        *_fixed(known),
    )  # fmt: skip
    real = replace(_code(known), name="mandate", question=_MANDATE).because(*reasons)
    if real.state == "nobody":
        real = Power(name="mandate", question=_MANDATE, state="nobody", reasons=reasons,
                     who="Nobody: it is part of the measured code")  # fmt: skip
    return on_this_machine(known, real)


def _fixed(known: Known) -> Iterator[Reason]:
    if known.fund is not None and known.fund.code == "Fund":
        yield Reason(
            text="the fund's own assets, limits and markets were fixed when it was made, and its"
            " contract has no way to change them",
            kind="contract", ref=known.fund.place.address,
        )  # fmt: skip


def keys(known: Known) -> Power:
    """Who can move its keys: whoever they come from, or can change the code that has them."""
    machine = known.machine
    provider, name = machine.provider, machine.provider_id or ""
    if machine.problem or provider is None:
        return on_this_machine(known, unknown(
            "keys", _KEYS, "Not known: its evidence does not say where its keys come from",
            check="ask for evidence with an event log, which names the key provider.",
        ))  # fmt: skip
    if provider == "kms":
        return on_this_machine(known, _had(known, _of_kms(known, name))).because(*_rotating(known))
    reason = Reason(text=f"its evidence names the key provider {provider[:40]}", kind="evidence",
                    ref=known.identity)  # fmt: skip
    found = _of_its_machine(known, provider, name).because(reason)
    return on_this_machine(known, _had(known, found)).because(*_rotating(known))


def _of_its_machine(known: Known, provider: str, name: str) -> Power:
    """Return who has keys that no KMS derives: an enclave beside the guest is the host's choice."""
    if provider == "tpm":
        return unknown(
            "keys", _KEYS, "Not known: whoever runs its TPM has what is sealed to it",
            check="a confidential machine's TPM is mostly its host's software: ask who runs it.",
        )  # fmt: skip
    if provider != "local-sgx":
        return unknown(
            "keys", _KEYS, "Not known: no service that is measured keeps its keys",
            check="its evidence names no key provider: ask where its keys are kept.",
        )  # fmt: skip
    if known.machine.state("key-provider-id") != "passed":
        return unknown(
            "keys", _KEYS, "Not checked: your policy does not say which enclave may keep its keys",
            check="its host starts the enclave that keeps them: read what the one behind"
            f" {name} does, and list it in your policy as key_provider_id.",
        )  # fmt: skip
    return Power(name="keys", question=_KEYS, state="nobody",
                 who="Nobody: they are sealed to its one machine's processor")  # fmt: skip


def _had(known: Known, real: Power) -> Power:
    """Return the answer if its code is known and nobody's to change: any other hands keys out."""
    by_code = _code(known)
    if real.state == "not_checked" or by_code.state == "nobody":
        return real
    if by_code.state == "somebody":
        return Power(name="keys", question=_KEYS, state="somebody", who=by_code.who,
                     reasons=(*by_code.reasons, *real.reasons))  # fmt: skip
    return unknown(
        "keys", _KEYS, "Not known: code that is not known may hand them out", check=by_code.check
    ).because(*real.reasons)


def _of_kms(known: Known, name: str) -> Power:
    reason = Reason(text=f"its keys are derived by the KMS with the key {name[-_SHOWN:]}",
                    kind="evidence", ref=known.identity)  # fmt: skip
    if known.machine.state("key-provider-id") != "passed":
        return unknown(
            "keys", _KEYS, "Not checked: your policy does not say which KMS you trust",
            check=f"list the KMS in your policy as key_provider_id, after its own evidence: {name}",
        ).because(reason)  # fmt: skip
    return Power(
        name="keys", question=_KEYS, state="somebody",
        who="Whoever governs its KMS, and nobody else",
        reasons=(
            reason,
            Reason(text="your policy lists this KMS, and so trusts it", kind="policy",
                   ref="key_provider_id"),
        ),
        check="what the KMS itself runs, and who may upgrade it, is in its own evidence and"
        " contract: they are not in this log.",
    )  # fmt: skip


def _rotating(known: Known) -> Iterator[Reason]:
    if known.fund is not None and known.fund.code == "Fund":
        yield Reason(
            text="the fund takes another key only by the word of the one that it listens to now",
            kind="contract", ref=known.fund.place.address,
        )  # fmt: skip


def memory(known: Known) -> Power:
    """Who can read its memory: nobody on a machine that keeps it from its host."""
    machine = known.machine
    public = Reason(
        text="what it was told, what it answered and what it did is public: it stands in this log",
        kind="statement", ref=known.statement,
    )  # fmt: skip
    real = Power(name="memory", question=_MEMORY, state="nobody", who="Nobody, its host included",
                 reasons=(Reason(text="the processor encrypts it, and debugging is off",
                                 kind="evidence", ref=known.identity),))  # fmt: skip
    if machine.level == "hardware" and not machine.problem and not machine.confidential:
        real = unknown(
            "memory", _MEMORY, "Not known: it is not shown that its host cannot look in",
            check="set debug = false in your policy, and ask for evidence that holds under it.",
        )  # fmt: skip
    return on_this_machine(known, real).because(public)


def _short(digest: str) -> str:
    return digest.rpartition(":")[2][:_SHOWN] + "…"

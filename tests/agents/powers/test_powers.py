"""Who can still change, stop or drain an agent: each answer, and its twin where a fact differs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from teeproof.agents.known import Known, known_of
from teeproof.agents.mandate import Mandate
from teeproof.agents.powers import Power, powers
from teeproof.agents.telling import agent_json, as_of
from teeproof.chain import artifacts
from teeproof.chain.account import Account
from teeproof.chain.fund import Asset, Fund
from teeproof.chain.local.creation import CHAIN_ID
from teeproof.chain.standing import NO_CODE, FundState
from teeproof.core.errors import Malformed
from teeproof.evidence.collect.simulated import application_policy, opt_in_policy
from teeproof.evidence.eventlog.compose import AppCompose
from teeproof.evidence.policy import load_policy, parse_policy
from teeproof.proof import canonical
from tests.agents.powers.conftest import Launched, machine, mandated
from tests.chain.nodes import forged, program
from tests.proof.people import platform

HOSTILE = Path(__file__).parents[2] / "chain" / "contracts" / "hostile"


def of(known: Known, name: str) -> Power:
    (found,) = [one for one in powers(known) if one.name == name]
    return found


def fund_of(known: Known) -> FundState:
    assert known.fund is not None
    return known.fund


def with_fund(known: Known, **changes: object) -> Known:
    return replace(known, fund=replace(fund_of(known), **changes))  # type: ignore[arg-type]


def test_what_rests_on_a_simulator_is_held_by_whoever_runs_it(launched: Launched):
    told = {one.name: one for one in powers(launched.known)}
    assert list(told) == ["money", "keys", "code", "mandate", "orders", "stop", "memory"]
    for name in ("keys", "code", "mandate", "memory"):
        assert told[name].state == "simulated", name
        assert told[name].who == "Whoever runs its simulated machine"
    assert told["code"].if_real == "Nobody: other code would have other keys"
    assert told["money"].who == "Whoever runs its embedded chain"
    assert told["money"].if_real.startswith("Nobody can send it away")
    assert json.dumps(agent_json(launched.known, launched.acted, powers(launched.known)))


def test_on_real_hardware_nobody_can_change_code_or_mandate_or_read_its_memory(launched: Launched):
    for name in ("code", "mandate", "memory"):
        found = of(launched.real, name)
        assert (found.state, found.if_real) == ("nobody", ""), name
        assert found.reasons


def test_code_that_the_policy_does_not_list_is_whoever_runs_its(launched: Launched):
    other = parse_policy(application_policy(platform(), compose_hash=["ab" * 32]))
    found = of(machine(launched.under(other), level="hardware"), "code")
    assert found.state == "somebody"
    assert "your policy does not list this code" in found.who
    assert launched.known.machine.code is not None
    assert launched.known.machine.code[:12] in found.reasons[0].text


def test_code_of_which_the_policy_says_nothing_is_not_checked(launched: Launched):
    found = of(machine(launched.under(parse_policy(opt_in_policy(platform()))), level="hardware"),
               "code")  # fmt: skip
    assert found.state == "not_checked"
    assert "list it in your policy as compose_hash" in found.check
    assert of(machine(launched.real, checks={}), "code").state == "not_checked"


def test_owner_of_an_upgradable_app_can_give_other_code_its_keys(launched: Launched):
    app = launched.known.machine.app
    assert app is not None
    twin = app[:-1] + ("0" if app[-1] != "0" else "1")  # another digit: no longer its code's
    found = of(machine(launched.real, app=twin), "code")
    assert found.state == "somebody"
    assert found.who == f"Whoever owns the contract 0x{twin}: it may give other code these keys"
    assert of(machine(launched.real, app=twin), "mandate").state == "somebody"
    assert of(machine(launched.known, app=twin), "code").if_real == found.who


def test_operator_who_chooses_unmeasured_settings_is_named(launched: Launched):
    compose = launched.known.machine.compose
    assert isinstance(compose, AppCompose)
    open_ = msgspec.structs.replace(compose, allowed_envs=("MODEL_URL",))
    found = of(machine(launched.real, compose=open_), "code")
    assert (found.state, "MODEL_URL" in found.who) == ("somebody", True)
    strange = msgspec.structs.replace(compose, unknown=("backdoor",))
    found = of(machine(launched.real, compose=strange), "code")
    assert (found.state, "backdoor" in found.check) == ("not_checked", True)
    assert of(machine(launched.real, compose=None), "code").state == "not_checked"
    assert of(machine(launched.real, compose=None), "mandate").state == "not_checked"


def test_images_without_a_digest_are_whoever_serves_thems(launched: Launched):
    checks = {k: v for k, v in launched.known.machine.checks.items() if k != "compose-images"}
    found = of(machine(launched.real, checks=checks), "code")
    assert found.who.startswith("Whoever serves its images")


def test_host_who_boots_any_guest_that_says_so_runs_any_code(launched: Launched):
    checks = dict(launched.known.machine.checks)
    assert checks["guest-image"].state == "passed"
    checks["guest-image"] = msgspec.structs.replace(checks["guest-image"], state="failed")
    for name in ("code", "mandate", "keys", "orders"):
        found = of(machine(launched.real, checks=checks), name)
        assert (found.state, found.who[:16]) == ("somebody", "Whoever starts i"), name
    for provider in ("tpm", "local-sgx"):
        found = of(machine(launched.real, checks=checks, provider=provider), "keys")
        assert found.state in ("somebody", "not_checked")


def test_host_who_debugs_the_machine_is_not_called_nobody(launched: Launched):
    for provider in ("kms", "tpm", "local-sgx"):
        open_ = machine(launched.real, confidential=False, provider=provider)
        for name in ("code", "mandate", "keys", "orders", "memory"):
            assert of(open_, name).state == "not_checked", name


def test_code_that_nobody_listed_may_hand_its_keys_out(launched: Launched):
    checks = {k: v for k, v in launched.known.machine.checks.items() if k != "compose-hash"}
    for provider in ("kms", "tpm", "local-sgx"):
        found = of(machine(launched.real, checks=checks, provider=provider), "keys")
        assert found.state == "not_checked"
        assert "hand them out" in found.who or provider == "tpm"


def test_owner_of_an_upgradable_app_has_its_keys_too(launched: Launched):
    app = launched.known.machine.app
    assert app is not None
    found = of(machine(launched.real, app=app[::-1]), "keys")
    assert (found.state, app[::-1] in found.who) == ("somebody", True)


def test_operator_who_has_the_key_outside_the_machine_is_seen_in_the_journal(launched: Launched):
    acted, known = launched.acted, launched.known
    assert (set(acted.authors), known.strangers) == ({known.identity}, ())
    other = "sha256:" + "ab" * 32
    twice = replace(acted, authors={**acted.authors, other: acted.turns[0].statement})
    again = known_of(twice, launched.judged(launched.policy), launched.world.source,
                     fund=known.fund)  # fmt: skip
    assert again.strangers == (other,)
    for name in ("code", "keys", "mandate", "orders"):
        found = of(replace(launched.real, strangers=again.strangers), name)
        assert (found.state, other in found.check) == ("not_checked", True), name


def test_host_of_a_machine_long_gone_is_told_by_its_time(launched: Launched):
    assert launched.known.machine.seen in as_of(launched.known)
    assert (
        as_of(machine(launched.known, seen=""))
        == "evidence of which nobody vouches when it was made"
    )
    old = machine(launched.known, seen="2026-01-02T03:04:05Z")
    assert "first seen at 2026-01-02T03:04:05Z; it says nothing" in as_of(old)
    assert agent_json(old, launched.acted, ())["machine"]["seen"] == "2026-01-02T03:04:05Z"


def test_orders_on_a_machine_of_which_nothing_is_known_are_not_called_bounded(launched: Launched):
    assert of(launched.known, "orders").state == "simulated"
    assert of(launched.known, "orders").if_real == "Anyone who reaches it, within its mandate"
    assert of(machine(launched.real, problem="it does not hold"), "orders").state == "not_checked"
    assert of(machine(launched.real, mandate=None), "orders").who == "Whoever starts it"


def test_starter_who_hands_over_a_mandate_that_was_not_measured_is_named(launched: Launched):
    for held in (None, "sha256:" + "ab" * 32):
        found = of(machine(launched.real, mandate=held), "mandate")
        assert (found.state, found.who) == ("somebody", "Whoever starts it")


def test_a_mandate_that_changed_between_actions_is_told(launched: Launched):
    twin = replace(launched.real, mandates=(*launched.real.mandates, "sha256:" + "ab" * 32))
    assert of(twin, "mandate").who == "Somebody did: its actions name 2 different mandates"


def test_owner_who_would_withdraw_has_no_place_in_a_mandate(launched: Launched):
    mandate = launched.known.mandate
    assert Mandate.parse(mandate.encode()) == mandate
    plain = json.loads(mandate.encode())
    for name in ("owner", "withdraw", "recipients"):
        with pytest.raises(Malformed):
            Mandate.parse(canonical.encode(plain | {name: "0x" + "ba" * 20}))


def test_a_proof_that_does_not_hold_leaves_the_machine_unknown(launched: Launched):
    standard = launched.under(load_policy("standard"))  # no simulator is accepted
    for name in ("keys", "code", "memory", "mandate"):
        found = of(standard, name)
        assert found.state == "not_checked", name
        assert "no root that your policy trusts" in found.check
    unverified = known_of(launched.acted, None, launched.world.source, problem="it is too large")
    assert "it is too large" in of(unverified, "code").check
    assert "its KMS" not in of(unverified, "stop").who
    assert of(machine(launched.real, level=None), "memory").state == "not_checked"


def test_host_of_a_machine_without_encrypted_memory_has_everything(launched: Launched):
    found = machine(launched.real, level="measured", confidential=False)
    for name in ("keys", "code", "mandate", "memory"):
        assert (of(found, name).state, of(found, name).who) == (
            "somebody",
            "Whoever has its machine",
        )


def test_memory_of_a_machine_that_its_host_may_debug_is_not_called_unreadable(launched: Launched):
    found = of(machine(launched.real, confidential=False), "memory")
    assert (found.state, "debug" in found.check) == ("not_checked", True)


def test_keys_are_whoever_governs_the_kms_or_of_one_machine_or_nobody_knows(launched: Launched):
    found = of(launched.real, "keys")
    assert found.who == "Whoever governs its KMS, and nobody else"
    assert any(one.kind == "policy" and one.ref == "key_provider_id" for one in found.reasons)
    checks = {k: v for k, v in launched.known.machine.checks.items() if k != "key-provider-id"}
    assert of(machine(launched.real, checks=checks), "keys").state == "not_checked"
    for provider, state in (("tpm", "not_checked"), ("local-sgx", "nobody"),
                            ("none", "not_checked"), (None, "not_checked"),
                            ("other", "not_checked")):  # fmt: skip
        assert of(machine(launched.real, provider=provider), "keys").state == state, provider


def test_orders_are_anyones_unless_the_mandate_lists_instructors(launched: Launched):
    assert of(launched.real, "orders").who == "Anyone who reaches it, within its mandate"
    found = of(mandated(launched.real, instructors=("ab" * 32,)), "orders")
    assert found.who == "Whoever holds one key of its mandate, within it"
    assert found.reasons[0].ref == "instructors"


def test_a_tee_keeps_nobody_from_switching_it_off(launched: Launched):
    found = of(launched.real, "stop")
    assert found.state == "somebody"
    assert found.who == "Its operator, its KMS, whoever serves its model"
    assert "its KMS" not in of(machine(launched.real, provider="tpm"), "stop").who
    ends = of(mandated(launched.real, not_after=1_800_000_000), "stop")
    assert any("2027-01-15" in one.text for one in ends.reasons)
    far = of(mandated(launched.real, not_after=2**53 - 1), "stop")  # no date has that many seconds
    assert far.who == found.who


def test_money_is_told_from_the_code_and_the_state_of_the_fund(launched: Launched):
    found = of(launched.real, "money")
    assert found.state == "bounded"
    assert found.who.startswith("Nobody can send it away. Whoever has its key can lose")
    kinds = {one.kind for one in found.reasons}
    assert kinds == {"contract", "chain", "mandate"}
    nothing = [replace(one, per_day=0, per_trade=0) for one in fund_of(launched.real).holdings]
    assert of(with_fund(launched.real, holdings=tuple(nothing)), "money").state == "nobody"


def test_host_that_runs_another_enclave_for_the_keys_is_not_called_nobody(launched: Launched):
    checks = {k: v for k, v in launched.known.machine.checks.items() if k != "key-provider-id"}
    found = of(machine(launched.real, checks=checks, provider="local-sgx"), "keys")
    assert (found.state, "key_provider_id" in found.check) == ("not_checked", True)


def test_a_fund_that_is_empty_today_can_be_lost_tomorrow(launched: Launched):
    empty = tuple(replace(one, amount=0) for one in fund_of(launched.real).holdings)
    found = of(with_fund(launched.real, holdings=empty), "money")
    assert (found.state, "whoever has its key can lose at most" in found.who) == ("bounded", True)
    for changes in ({"venues": ()}, {"holdings": empty[:1]}):  # nothing can be traded at all
        assert of(with_fund(launched.real, **changes), "money").state == "nobody"


@pytest.mark.parametrize("decimals", [0, 36])
def test_creator_whose_mandate_counts_other_decimals_does_not_make_a_loss_look_small(
    launched: Launched, decimals: int
):
    much = tuple(replace(one, amount=2 * one.per_day) for one in fund_of(launched.real).holdings)
    known = with_fund(launched.real, holdings=much)
    first, *others = known.mandate.assets
    false = msgspec.structs.replace(first, decimals=decimals)
    true, told = of(known, "money"), of(mandated(known, assets=(false, *others)), "money")
    assert "can lose at most 10.00 ETH and" in true.who
    assert "can lose at most 10.00 tETH and" in told.who
    assert any(f"counts ETH with {decimals} decimals, and the token at" in one.text
               and "has 18" in one.text for one in told.reasons)  # fmt: skip
    assert not any("decimals" in one.text for one in true.reasons)


def test_operator_with_a_chain_of_its_own_is_not_forgotten(launched: Launched):
    found = of(launched.real, "money")
    assert "who makes the blocks of chain 1" in found.check
    assert any("moves that price" in one.text for one in found.reasons)
    assert any("twice that around midnight" in one.text for one in found.reasons)


def test_an_embedded_chain_is_whoever_runs_its(launched: Launched):
    assert fund_of(launched.known).chain_id == CHAIN_ID
    assert of(launched.known, "money").state == "simulated"
    assert of(launched.real, "money").state == "bounded"


def test_money_without_a_chain_is_not_checked_and_says_how_it_would_be(launched: Launched):
    found = of(replace(launched.real, fund=None, unasked="no chain was asked"), "money")
    assert (found.state, "--chain" in found.check) == ("not_checked", True)
    assert "no chain was asked" in found.who
    other = with_fund(launched.real, chain_id=7)
    assert "another chain" in of(other, "money").who


def test_operator_who_puts_other_code_at_the_funds_address_is_found_out(launched: Launched):
    chain, owner = launched.world.market.chain, launched.world.market.owner
    ours = artifacts.load("Fund").runtime.code
    twin = bytes((ours[0],)) + ours[1:-1] + bytes((ours[-1] ^ 1,))  # one byte of its data
    receipt = chain.transact(owner, None, program(twin))
    assert receipt.created is not None
    state = launched.state(receipt.created)
    assert (state.code, state.agent, state.holdings) == (None, None, ())
    found = of(replace(launched.known, fund=state), "money")
    assert found.state == "not_checked"
    assert found.who == "Not known: code that is not known here stands at its fund's address"
    assert state.place.digest in found.check
    nothing = launched.state("0x" + "ba" * 20)
    assert nothing.place.digest == NO_CODE
    assert "no contract stands" in of(replace(launched.known, fund=nothing), "money").who


def test_operator_who_made_the_fund_by_other_code_may_have_kept_an_allowance(launched: Launched):
    here = launched.world.market
    thief = Account(b"\x66" * 32)
    ours = fund(launched, agent=launched.known.address)
    storage = {n: int(here.chain.endpoint.ask("eth_getStorageAt", ours.place.address, hex(n)), 16)
               for n in range(64)}  # fmt: skip
    deploys = forged(
        here.chain.code(ours.place.address), {k: v for k, v in storage.items() if v},
        token=here.ether.address, spender=thief.address,
    )  # fmt: skip
    made = here.chain.transact(here.owner, None, deploys).created
    assert made is not None
    state = launched.state(made)
    assert (state.code, state.agent) == ("Fund", launched.known.address)  # byte by byte
    assert state.venues == ours.venues
    assert here.ether.allowance(made, thief.address) == 2**256 - 1
    assert of(with_real_fund(launched, ours), "money").state in ("nobody", "bounded")
    found = of(with_real_fund(launched, state), "money")
    assert found.state == "not_checked"
    assert "kept a way to take them" in found.who
    assert f"Fund at {made}" in found.check
    assert "other code than the shipped contract's" in found.check


def test_creator_whose_token_was_made_by_other_code_is_not_trusted(launched: Launched):
    held = list(fund_of(launched.real).holdings)
    held[0] = replace(held[0], token=replace(held[0].token, doubt="another contract made it"))
    found = of(with_fund(launched.real, holdings=tuple(held)), "money")
    assert (found.state, held[0].token.address in found.check) == ("not_checked", True)


def test_operator_whose_fund_listens_to_another_key_is_found_out(launched: Launched):
    state = fund(launched, agent="0x" + "ba" * 20)
    found = of(replace(launched.known, fund=state), "money")
    assert (found.state, "0x" + "ba" * 20 in found.reasons[0].text) == ("somebody", True)


def test_owner_of_a_market_that_is_not_known_can_take_what_is_sold_there(launched: Launched):
    artifact = artifacts.parse((HOSTILE / "HostileVenue.json").read_bytes())
    here = launched.world.market
    constructor = next((one for one in artifact.abi if one["type"] == "constructor"), None)
    assert not constructor or not constructor["inputs"]
    venue = here.chain.deploy(here.owner, artifact)
    state = fund(launched, agent=launched.known.address, venues=[venue.address])
    found = of(replace(launched.known, fund=state), "money")
    assert (found.state, venue.address in found.who) == ("somebody", True)


def test_minter_of_a_test_token_is_told_of(launched: Launched):
    told = [one for one in of(launched.real, "money").reasons if "can make more of it" in one.text]
    assert [one.ref for one in told] == [fund_of(launched.real).holdings[0].token.address]


def test_issuer_of_a_token_that_is_not_known_may_take_it_back(launched: Launched):
    held = list(fund_of(launched.real).holdings)
    held[0] = replace(held[0], token=replace(held[0].token, code=None))
    found = of(with_fund(launched.real, holdings=tuple(held)), "money")
    assert (found.state, "issue" in found.who) == ("not_checked", True)


def test_a_contract_that_allows_more_than_the_mandate_says_so(launched: Launched):
    assert not any("allows more" in one.text for one in of(launched.real, "money").reasons)
    held = [replace(one, per_day=one.per_day + 1) for one in fund_of(launched.real).holdings]
    found = of(with_fund(launched.real, holdings=tuple(held)), "money")
    assert any("allows more" in one.text for one in found.reasons)


def with_real_fund(launched: Launched, state: FundState) -> Known:
    """What is known on real hardware, and of this fund, as if its chain were a public one."""
    return replace(launched.real, fund=replace(state, chain_id=1))


def fund(launched: Launched, *, agent: str, venues: list[str] | None = None) -> FundState:
    """What the chain holds of a new fund of ours."""
    here = launched.world.market
    assets = [Asset(here.ether.address, 1, 1), Asset(here.dollar.address, 1, 1)]
    made = Fund.deploy(
        here.chain, here.owner, agent=agent, identity=bytes(32), assets=assets,
        venues=venues or [here.pool.address],
    )  # fmt: skip
    return launched.state(made.address)

"""A node's page: what it offers, whether a market admitted it, what it earned, whose word it is."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import msgspec
import pytest

from teeproof.cloud.owner import OwnerKey
from teeproof.core.digests import parse_named
from teeproof.evidence.collect.simulated import SimulatedAttester, SimulatedPlatform
from teeproof.explorer.log.content import Book
from teeproof.explorer.log.nodes import Nodes
from teeproof.explorer.log.together import Verifying
from teeproof.explorer.machines.node import node_page
from teeproof.explorer.telling.node import told_node
from teeproof.network.statements import AdmissionStatement, ClosingStatement, LeaseStatement, say
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.links import Material
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.formats.entry import IDENTITY
from teeproof.proof.log.storage.log import Log
from teeproof.proof.source import read_record
from teeproof.proof.verify import Trust
from teeproof.proof.workload import Identity
from tests.explorer.bazaar import Bazaar, busy_bazaar, opened
from tests.network.scenes import START, Node, attester, policy


@pytest.fixture(scope="module")
def bazaar(tmp_path_factory) -> Bazaar:
    return busy_bazaar(tmp_path_factory.mktemp("bazaar"))


def test_a_node_is_told_in_one_sentence_and_five_answers(bazaar):
    told = bazaar.twin("cheap")["told"]
    assert told["sentence"] == (
        "“cheap” offers 8 cores, 32 GiB, no GPU at 10 micro-units of test money a second; the"
        " market “bazaar” admitted it. Its machine is SIMULATED."
    )
    offers, admitted, strong, _, following = told["answers"]
    assert offers["points"]["Price"] == "10 micro-units of test money a second"
    assert offers["points"]["Where it says it stands"] == "eu-west; nobody checks that"
    assert admitted["answer"] == "Admitted by the market “bazaar”"
    assert "made once more" in admitted["more"][0]
    assert strong["points"]["Are its GPUs real?"] == "It claims none."
    assert following["commands"][0].startswith("teeproof verify log ")


def test_leases_say_what_was_proved_paid_and_returned(bazaar):
    twin = bazaar.twin("cheap")
    (lease,) = twin["leases"]
    assert lease["holds"] == "✓ holds"
    assert (lease["closed"]["seconds"], lease["closed"]["paid"]) == (30, "300")
    assert lease["closed"]["refund"] == "9700"
    assert (twin["earned"]["leases"], twin["earned"]["totals"]) == (1, {"test": 300})
    text = bazaar.page("cheap")
    assert "30 of 30 s, 100 %" in text
    assert bazaar.renter.public in text
    assert "renter closed" in text


def test_a_refused_node_says_so_with_each_reason_expected_and_got(bazaar):
    told = bazaar.twin("boaster")["told"]
    assert told["badge"] == "REFUSED BY THE MARKET"
    assert "refused it: claims 1 H100 and brings no GPU report" in told["sentence"]
    points = told["answers"][1]["points"]
    assert "Expected a report of each GPU" in points["gpu_report_missing"]
    assert "nothing binds any GPU to its machine" in told["answers"][2]["points"][
        "Are its GPUs real?"
    ]  # fmt: skip
    assert told["answers"][4]["answer"] == "Do not rent it"
    rich = bazaar.twin("rich")["told"]["answers"][1]["points"]
    assert rich.keys() == {"price_too_high", "challenge_unknown"}


def test_gpus_that_are_proven_are_listed_and_what_no_report_shows_is_said(bazaar):
    twin = bazaar.twin("proven")
    assert [one["chip"] for one in twin["gpus"]["devices"]] == ["GH100", "GH100"]
    assert "a SIMULATOR vouches for each" in twin["gpus"]["told"]
    assert "That they sit in this machine no report shows: not checked." in twin["gpus"]["told"]
    assert "GH100" in bazaar.page("proven")


def test_a_node_that_proved_itself_anew_is_one_node_under_both_identities(bazaar):
    by_new, by_old = bazaar.twin("again"), bazaar.twin("first")
    assert by_new["id"] == by_old["id"] == f"sha256:{bazaar.id('first')}"
    assert bazaar.id("again") != bazaar.id("first")
    assert len(by_new["admissions"]) == 2


def test_a_simulator_that_nobody_opted_in_to_is_told_as_refused_by_the_policy(bazaar):
    told = bazaar.twin("cheap", trusted=False)["told"]
    assert told["badge"] == "SIMULATED, NOT ALLOWED"
    (lease,) = bazaar.twin("cheap", trusted=False)["leases"]
    assert lease["holds"] != "✓ holds"
    assert bazaar.twin("cheap", trusted=False)["earned"]["totals"] == {}


def test_statements_search_and_the_list_of_what_is_here_lead_to_it(bazaar):
    one = bazaar.id("cheap")
    twin = bazaar.twin("cheap")
    for statement in (twin["statement"], twin["leases"][0]["statement"]):
        page = bazaar.get(f"/p/{statement.removeprefix('sha256:')}").text
        assert f'href="/node/{one}"' in page
    pages = {one["page"] for one in bazaar.get(f"/search.json?q={one}").json()["found"]}
    assert {f"/node/{one}", f"/identity/{one}"} <= pages
    assert bazaar.get("/search.json?q=boaster").json()["found"]
    here = bazaar.get("/here").text
    assert f'href="/node/{one}"' in here
    market = twin["admissions"][0]["market"][7:15]
    assert f"REFUSED: gpu report missing, says the market {market}" in here
    assert f"admitted, says the market {market}; 1 lease" in here


def test_a_node_that_nobody_speaks_of_is_unknown(bazaar):
    assert bazaar.get(f"/node/{'0' * 64}.json").json()["error"] == "node_unknown"
    assert bazaar.get("/node/zz.json").json()["error"] == "id_malformed"


def test_the_proof_that_it_hands_out_holds_by_itself(bazaar):
    from teeproof.proof.file import ProofFile
    from teeproof.proof.verify import verify_proof

    data = bazaar.get(f"/node/{bazaar.id('cheap')}.proof").content
    with ProofFile.from_bytes(data) as proof:
        assert verify_proof(proof, now=START, trust=Trust(policy=policy())).ok


# What others write to the log.


@pytest.fixture
def honest(tmp_path):
    """Return what makes a log with one node, a lease, and what a stranger adds to it."""

    def make(adds) -> Bazaar:
        owner = OwnerKey.new()
        with Log.create(tmp_path / "log", origin="log.example/forged") as log:
            scene = opened(tmp_path, log)
            node = scene.node("cheap", price="10")
            lease = scene.leased(node, owner)
            node.work(30)
            scene.close(owner, lease)
            adds(scene, node, lease, log)
            log.publish()
            scene.ledger.close()
        return Bazaar(tmp_path / "log", {"cheap": node}, owner)

    return make


def test_stranger_writes_in_the_markets_name_that_a_node_is_refused(honest):
    """It is not signed by the market: it is in no list, and the page says how many are not."""

    def adds(scene, node, lease, log) -> None:
        kept = scene.market.state.nodes[node.name]
        with closing(Contents(log)) as contents:
            said = contents.statement(parse_named(kept.admission))
        words = read_record(said or b"").statement.predicate
        for number in range(7):
            decision = msgspec.structs.replace(
                words.decision, admitted=False, at=words.decision.at + number
            )
            said = AdmissionStatement(
                author=words.author, materials=words.materials, decision=decision,
                terms=words.terms,
            )  # fmt: skip
            made = say(said, decision, name="admission")
            log_add(log, Envelope(made.payload, (Signature(words.author, bytes(64)),)).encode())

    found = honest(adds)
    twin = found.twin("cheap")
    assert [one["holds"] for one in twin["admissions"]] == ["✓ holds"]
    assert twin["left_out"] == 7
    assert "Left out: 7 records, as whoever they name" in found.page("cheap")
    assert twin["decision"].get("reasons") is None
    assert twin["told"]["answers"][1]["answer"] == "Admitted by the market “bazaar”"


def test_stranger_calls_himself_by_a_markets_name_and_admits_a_node(honest):
    """Anybody can be a market of any name: the page says which identity it is."""
    who: list[Identity] = []

    def adds(scene, node, lease, log) -> None:
        kept = scene.market.state.nodes[node.name]
        with closing(Contents(log)) as contents:
            said = contents.statement(parse_named(kept.admission))
        words = read_record(said or b"").statement.predicate
        stranger = Identity.boot(
            attester("stranger", scene.clock, code="other"), store=log, now=scene.clock
        )
        who.append(stranger)
        for number in range(7):
            decision = msgspec.structs.replace(words.decision, at=words.decision.at + number)
            own = AdmissionStatement(author=stranger.name, materials=words.materials,
                                     decision=decision, terms=words.terms)  # fmt: skip
            stranger.keep(say(own, decision, name="admission"))

    found = honest(adds)
    twin = found.twin("cheap")
    assert {one["market"] for one in twin["admissions"]} == {who[0].name, bazaar_of(twin, who[0])}
    assert [one["holds"] for one in twin["admissions"]] == ["✓ holds"] * 6
    stranger = who[0].name[7:23]
    assert f"That market is identity {stranger}…: its name is its own word." in found.page("cheap")
    book = Book(found.directory, trust=Trust(policy=policy()), now=lambda: START)
    page = node_page(book, Verifying(book), found.id("cheap"))
    assert not page.contrary
    told = told_node(replace(page, contrary=True), command="")
    assert "admitted it, and another market refused it" in told.sentence


@pytest.mark.parametrize("known", [True, False])
def test_stranger_calls_a_node_another_and_its_page_stays_its_own(honest, known):
    """A market says which node an identity is; who says it first of one is not overruled."""

    def adds(scene, node, lease, log) -> None:
        kept = scene.market.state.nodes[node.name]
        with closing(Contents(log)) as contents:
            said = contents.statement(parse_named(kept.admission))
        words = read_record(said or b"").statement.predicate
        stranger = Identity.boot(
            attester("stranger", scene.clock, code="other"), store=log, now=scene.clock
        )
        other = scene.node("other", price="20").identity.name if known else "sha256:" + "ab" * 32
        decision = msgspec.structs.replace(words.decision, node=other)
        false = AdmissionStatement(
            author=stranger.name, materials=words.materials, decision=decision, terms=words.terms
        )
        stranger.keep(say(false, decision, name="admission"))

    found = honest(adds)
    twin = found.twin("cheap")
    assert twin["id"] == f"sha256:{found.id('cheap')}"
    assert (twin["earned"]["leases"], twin["earned"]["totals"]) == (1, {"test": 300})
    assert [one["holds"] for one in twin["leases"]] == ["✓ holds"]
    assert len({one["market"] for one in twin["admissions"]}) == 1


def bazaar_of(twin, stranger: Identity) -> str:
    """The market that is not the stranger."""
    return next(one["market"] for one in twin["admissions"] if one["market"] != stranger.name)


def test_stranger_ends_a_lease_with_a_sum_of_his_own(honest):
    """Nothing of it is counted as earned: of several ends the one that holds is shown."""

    def adds(scene, node, lease, log) -> None:
        stranger = Identity.boot(
            attester("stranger", scene.clock, code="other"), store=log, now=scene.clock
        )
        running = scene.market.state.leases[lease]
        closing_ = msgspec.structs.replace(running.closing, paid="999999", refund="0")
        material = Material(
            role="lease", digest={"sha256": lease.removeprefix("sha256:")}, name="lease",
            statement=running.statement,
        )  # fmt: skip
        stranger.keep(
            say(ClosingStatement(author=stranger.name, materials=(material,), closing=closing_),
                closing_, name="lease closing")
        )  # fmt: skip

    twin = honest(adds).twin("cheap")
    (lease,) = twin["leases"]
    assert (lease["holds"], lease["closed"]["paid"]) == ("✓ holds", "300")
    assert twin["earned"]["totals"] == {"test": 300}


def test_stranger_is_the_market_and_says_that_a_node_earned_more(honest):
    """Nobody can gainsay a ledger: the page says whose it is."""
    who: list[Identity] = []

    def adds(scene, node, lease, log) -> None:
        kept, running = scene.market.state.nodes[node.name], scene.market.state.leases[lease]
        me = Identity.boot(attester("me", scene.clock, code="other"), store=log, now=scene.clock)
        who.append(me)

        def words(statement: str):
            with closing(Contents(log)) as contents:
                return read_record(contents.statement(parse_named(statement)) or b"")

        def own(read, content, name: str, field: str, **more):
            materials = tuple(more.pop("materials", read.statement.predicate.materials))
            made = msgspec.structs.replace(
                read.statement.predicate, author=me.name, materials=materials, **{field: content}
            )
            said = say(made, content, name=name)
            me.keep(said)
            return said

        def of(role: str, said) -> Material:
            return Material(role=role, statement=said.name,
                            digest={"sha256": said.subjects[0].digest["sha256"]})  # fmt: skip

        admitted = words(kept.admission)
        decision = admitted.statement.predicate.decision
        admission = own(admitted, decision, "admission", "decision")
        leased = words(running.statement)
        matched = words(next(m.statement for m in leased.statement.predicate.materials))
        match = matched.statement.predicate.match
        offers = tuple(
            msgspec.structs.replace(one, admission=admission.name) if one.node == match.chosen
            else one for one in match.offers
        )  # fmt: skip
        match = msgspec.structs.replace(match, offers=offers)
        others = [m for m in matched.statement.predicate.materials if m.role != "admission"]
        said = own(
            matched, match, "match", "match", materials=[*others, of("admission", admission)]
        )
        false = msgspec.structs.replace(running.lease, sequence=99)
        lent = own(leased, false, "lease", "lease", materials=[of("match", said)])
        end = msgspec.structs.replace(
            running.closing, lease=f"sha256:{lent.subjects[0].digest['sha256']}", paid="10000",
            refund="0", seconds=1000, at=false.opened + 1000,
        )  # fmt: skip
        ended = ClosingStatement(author=me.name, materials=(of("lease", lent),), closing=end)
        me.keep(say(ended, end, name="lease closing"))

    found = honest(adds)
    twin = found.twin("cheap")
    own, other = who[0].name, twin["leases"][1]["market"]
    assert [(one["holds"], one["market"]) for one in twin["leases"]] == [
        ("✓ holds", own), ("✓ holds", other),
    ]  # fmt: skip
    assert own != other
    assert twin["earned"] == {"leases": 2, "totals": {"test": 10300}, "markets": [own, other]}
    page = found.page("cheap")
    assert f'<a href="/identity/{own[7:]}">the market {own[7:15]}' in page
    assert "anybody can be a market, so that this is worth as much as its word" in page


def test_strangers_crowd_a_node_under_many_names_and_push_nobody_out(honest):
    """Nothing vouches for their machines: it costs them a key each."""

    def adds(scene, node, lease, log) -> None:
        kept, running = scene.market.state.nodes[node.name], scene.market.state.leases[lease]
        with closing(Contents(log)) as contents:
            words = read_record(contents.statement(parse_named(kept.admission)) or b"")
        said = words.statement.predicate
        other = SimulatedPlatform(b"\5" * 32)
        for number in range(9):
            me = Identity.boot(SimulatedAttester(other, now=scene.clock), store=log,
                               now=scene.clock)  # fmt: skip
            for time in range(24):
                decision = msgspec.structs.replace(
                    said.decision, admitted=False, at=said.decision.at + time
                )
                own = AdmissionStatement(author=me.name, materials=said.materials,
                                         decision=decision, terms=said.terms)  # fmt: skip
                me.keep(say(own, decision, name="admission"))
                false = msgspec.structs.replace(running.lease, sequence=1000 * number + time + 99)
                lent = LeaseStatement(author=me.name, lease=false, payout=false.payout)
                me.keep(say(lent, false, name="lease"))

    found = honest(adds)
    twin = found.twin("cheap")
    assert twin["told"]["answers"][1]["answer"] == "Admitted by the market “bazaar”"
    assert [one["holds"] for one in twin["admissions"]].count("✓ holds") == 1
    assert len(twin["admissions"]) <= 5 + 8
    assert [one["holds"] for one in twin["leases"]].count("✓ holds") == 1
    assert (twin["earned"]["totals"], twin["lease_count"]) == ({"test": 300}, 217)
    assert "20 that were looked at: before all others" in found.page("cheap")


def test_stranger_is_quicker_than_a_market_and_the_page_of_a_node_is_its_own(tmp_path):
    with Log.create(tmp_path / "log", origin="log.example/quick") as log:
        scene = opened(tmp_path, log)
        first = scene.node("other", price="20")
        with closing(Contents(log)) as contents:
            said = contents.statement(parse_named(scene.market.state.nodes[first.name].admission))
        words = read_record(said or b"").statement.predicate
        node = Node(scene, "cheap", price="10")
        node.boot()
        me = Identity.boot(
            SimulatedAttester(SimulatedPlatform(b"\5" * 32), now=scene.clock), store=log,
            now=scene.clock,
        )  # fmt: skip
        decision = msgspec.structs.replace(words.decision, identity=node.identity.name)
        quick = AdmissionStatement(author=me.name, materials=words.materials, decision=decision,
                                   terms=words.terms)  # fmt: skip
        me.keep(say(quick, decision, name="admission"))
        assert node.send(node.registration()).admitted
        log.publish()
        scene.ledger.close()
    twin = Bazaar(tmp_path / "log", {"cheap": node}, OwnerKey.new()).twin("cheap")
    assert twin["id"] == node.identity.name
    assert twin["claim"]["name"] == "cheap"


def test_renter_says_first_that_he_leased_the_node_and_the_markets_word_counts(tmp_path):
    """He has the terms before the log has them, and signs them with a key of nothing."""
    owner = OwnerKey.new()
    with Log.create(tmp_path / "log", origin="log.example/real") as log:
        scene = opened(tmp_path, log)
        node = scene.node("cheap", price="10")
        lease = scene.leased(node, owner)
        node.work(30)
        scene.close(owner, lease)
        log.publish()
        scene.ledger.close()
        terms = scene.market.state.leases[lease].lease
        with Log.create(tmp_path / "forged", origin="log.example/forged") as other:
            me = Identity.boot(
                SimulatedAttester(SimulatedPlatform(b"\5" * 32), now=scene.clock), store=other,
                now=scene.clock,
            )  # fmt: skip
            said = LeaseStatement(author=me.name, lease=terms, payout=terms.payout)
            me.keep(say(said, terms, name="lease"))
            with closing(Contents(log)) as real, closing(Contents(other)) as copy:
                for kind, one in in_order(log):
                    copied(real, copy, kind, one)
            other.publish()
    twin = Bazaar(tmp_path / "forged", {"cheap": node}, owner).twin("cheap")
    (row,) = twin["leases"]
    assert (row["holds"], row["market"] == me.name) == ("✓ holds", False)
    assert twin["earned"]["totals"] == {"test": 300}


def in_order(log: Log) -> list[tuple[bool, bytes]]:
    """What a log holds: whether it is an identity, and its id."""
    return [
        (one.kind == IDENTITY, one.identity if one.kind == IDENTITY else read_record(one.record).id)
        for one in log.iterate(0)
    ]


def copied(real: Contents, copy: Contents, is_identity: bool, one: bytes) -> None:
    if is_identity:
        record = real.identity(one) or b""
        names = IdentityRecord.parse(record).attachments
        copy.add_identity(
            record, {part: real.blob(digest) or b"" for part, digest in names.items()}
        )
    else:
        copy.add_statement(real.statement(one) or b"")


@pytest.mark.parametrize("when", [2**53 - 1, 1 - 2**53])
def test_stranger_writes_times_that_no_calendar_has(honest, when):
    """Neither page nor twin of somebody's node is lost by them."""

    def adds(scene, node, lease, log) -> None:
        kept = scene.market.state.nodes[node.name]
        with closing(Contents(log)) as contents:
            said = contents.statement(parse_named(kept.admission))
        words = read_record(said or b"").statement.predicate
        stranger = Identity.boot(
            attester("stranger", scene.clock, code="other"), store=log, now=scene.clock
        )
        decision = msgspec.structs.replace(words.decision, at=when, until=when)
        false = AdmissionStatement(
            author=stranger.name, materials=words.materials, decision=decision, terms=words.terms
        )
        stranger.keep(say(false, decision, name="admission"))
        running = scene.market.state.leases[lease]
        other = msgspec.structs.replace(running.lease, opened=when)
        said = LeaseStatement(author=stranger.name, lease=other, payout=other.payout)
        stranger.keep(say(said, other, name="lease"))

    found = honest(adds)
    assert found.twin("cheap")["told"]["answers"][1]["answer"] == "Admitted by the market “bazaar”"
    assert found.page("cheap").count("a time that is none") == 4


def log_add(log: Log, envelope: bytes) -> None:
    with closing(Contents(log)) as contents:
        contents.add_statement(envelope)


def test_a_list_of_nodes_is_bounded(monkeypatch, bazaar):
    from teeproof.explorer.log import nodes as module

    monkeypatch.setattr(module, "MOST_NODES", 2)
    rolls = Nodes()
    with Log.open(bazaar.directory, read_only=True) as log, closing(Contents(log)) as contents:
        for number, one in enumerate(contents.statements()):
            rolls.add(read_record(contents.statement(one) or b""), number=number)
    assert (len(rolls), rolls.full) == (2, True)

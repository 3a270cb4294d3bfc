"""An identity's page: what runs where, with which keys; and what looks different when it fails."""

from __future__ import annotations

import io
import re
import tarfile
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from teeproof.cli.explorer_desk import ExplorerDesk
from teeproof.core.digests import named, sha256
from teeproof.evidence.collect.simulated import Guest, SimulatedAttester, app_compose
from teeproof.explorer.app import make_app
from teeproof.explorer.log.content import Book
from teeproof.explorer.machines.beside import SHOWN
from teeproof.explorer.telling.identity import ROLES, told_identity
from teeproof.proof.keys import ROLES as ALL_ROLES
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.verify import Trust
from teeproof.proof.verify.alone import verify_identity
from teeproof.proof.workload import Identity
from tests.explorer.conftest import ask
from tests.proof.people import NOW, attester, platform, policy


@dataclass
class Scene:
    """A log with some identities, and the explorer over it as of a time."""

    directory: Path
    people: dict[str, Identity]

    def app(self, *, at: datetime = NOW, trusted: bool = True) -> object:
        expected = policy() if trusted else None
        desk = ExplorerDesk(policy=expected, logs=None, words=("--policy", "mine.toml"))
        book = Book(self.directory, trust=Trust(policy=expected), now=lambda: at)
        return make_app(book, command=lambda name: f"teeproof verify log {name[7:15]}", desk=desk,
                        now=lambda: at)  # fmt: skip

    def get(self, path: str, **how):
        return ask(self.app(**how), "GET", path)

    def twin(self, name: str, **how):
        return self.get(f"/identity/{self.people[name].digest.hex()}.json", **how).json()

    def page(self, name: str, **how):
        answer = self.get(f"/identity/{self.people[name].digest.hex()}", **how)
        assert answer.status_code == 200
        return answer.text


def on(code: bytes) -> SimulatedAttester:
    built = platform().machine(guest=Guest(compose=code))
    return SimulatedAttester(platform(), now=lambda: NOW, machine=built)


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    directory = tmp_path_factory.mktemp("identities") / "log"
    hostile = app_compose("<script>alert(1)</script>\u202e", image="x:latest")
    with Log.create(directory, origin="log.example/identities") as log:
        boot = lambda code, **more: Identity.boot(  # noqa: E731
            on(code), store=log, now=lambda: NOW, **more
        )
        people = {
            "one": boot(app_compose("shop"), roles=["receipt", "chain", "seal"]),
            "two": boot(app_compose("shop")),
            "other": boot(app_compose("bank")),
            "hostile": boot(hostile),
        }
        for number in range(100):
            people["one"].seal(f"step {number}", outputs={"x": b"%d" % number})
        people["next"] = people["two"].rotate(reason="update")
        log.publish()
    return Scene(directory, people)


def test_an_identity_is_told_in_one_sentence_and_five_answers(scene):
    told = scene.twin("one")["told"]
    assert told["badge"] == "SIMULATED, AND ALLOWED AS SUCH"
    assert told["sentence"] == (
        "A SIMULATOR of an Intel TDX machine vouches for these keys of the program “shop”. Anybody"
        " can run a simulator."
    )
    runs, signs, strong, _, _ = told["answers"]
    compose = sha256(app_compose("shop")).hex()
    assert runs["answer"] == "“shop”"
    assert any(compose in line for line in runs["more"])
    assert any("simulated.invalid/hello@sha256:" in line for line in runs["more"])
    assert signs["answer"] == "4 keys, valid until 8 Mar 2026"
    assert signs["points"]["chain (secp256k1)"].startswith("signs orders to a blockchain")
    assert strong["answer"] == "Simulated"


def test_every_role_of_a_key_has_words():
    assert ROLES.keys() == ALL_ROLES.keys()


def test_code_that_the_policy_does_not_list_is_told_as_unlisted_or_unasked(scene):
    (point,) = scene.twin("one")["told"]["answers"][0]["points"].values()
    assert point == "Not checked: the policy here lists no code."


@pytest.mark.parametrize(("listed", "words"), [("shop", "Yes: "), ("bank", "No: ")])
def test_code_that_the_policy_lists_is_told_from_code_that_it_does_not(scene, listed, words):
    expected = policy().with_(compose_hash=[sha256(app_compose(listed)).hex()])
    book = Book(scene.directory, trust=Trust(policy=expected), now=lambda: NOW)
    app = make_app(book, command=str, desk=ExplorerDesk(policy=expected, logs=None))
    told = ask(app, "GET", f"/identity/{scene.people['one'].digest.hex()}.json").json()["told"]
    (point,) = told["answers"][0]["points"].values()
    assert point.startswith(words)


def test_the_page_shows_every_field_of_the_evidence_with_what_it_is_for(scene):
    text = scene.page("one")
    for words in ("mrtd", "The measurement of the firmware", "rtmr3", "compose-hash", "quote.bin",
                  "event_log.json", "collateral.json", "identity.json"):  # fmt: skip
        assert words in text


def test_no_page_shows_the_numbers_that_name_a_machine_for_ever(scene):
    with Log.open(scene.directory, read_only=True) as log:
        quote = log.blob(scene.people["one"].record.attachments["quote"])
    from teeproof.cli.claims.quote import tdx_quote

    told = tdx_quote(quote, ppid=True)
    ppid = re.search(r"'ppid': '([0-9a-f]+)'", repr(told))
    assert ppid is not None
    assert ppid[1] not in scene.page("one")
    assert ppid[1] not in scene.get(f"/identity/{scene.people['one'].digest.hex()}.json").text


def test_what_is_downloaded_is_what_verify_reads_by_the_command_on_the_page(
    scene, tmp_path, monkeypatch
):
    from teeproof.cli import main
    from teeproof.evidence.collect.simulated import opt_in_policy

    one = scene.people["one"].digest.hex()
    answer = scene.get(f"/identity/{one}.tar")
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "mine.toml").write_text(opt_in_policy(platform()))
    unpack, verify = scene.twin("one")["check_it_yourself"]
    assert unpack == f"tar xf identity-{one[:16]}.tar"
    assert verify == f"teeproof verify identity-{one[:16]} --policy mine.toml"
    monkeypatch.chdir(tmp_path)
    words = [*verify.split()[1:], "--at", "2026-03-01T12:00:00Z", "--json"]
    assert main(words) == 0
    (tmp_path / f"identity-{one[:16]}" / "quote.bin").write_bytes(
        flipped((tmp_path / f"identity-{one[:16]}" / "quote.bin").read_bytes())
    )
    assert main(words) == 2


def test_the_same_code_elsewhere_and_the_same_machine_are_listed_as_claims(scene):
    beside = scene.twin("one")["beside"]
    two, other = scene.people["two"].name, scene.people["other"].name
    assert beside["checked"] is False
    assert set(beside["same_code"]["latest"]) == {two, scene.people["next"].name}
    assert other in beside["same_platform"]["latest"]
    assert other not in beside["same_code"]["latest"]


def test_what_it_said_is_listed_newest_first_a_page_at_a_time(scene):
    one = scene.people["one"].digest.hex()
    first = scene.twin("one")["beside"]
    assert first["kinds"] == {"urn:teeproof:step:v1": 100}
    assert first["said"][0]["title"] == "step 99"
    text = scene.page("one")
    assert text.count('<li><a href="/p/') == 40
    older = scene.get(f"/identity/{one}?from=80").text
    assert older.count('<li><a href="/p/') == 20
    assert "step 0" in older
    assert scene.get(f"/identity/{one}?from=-1").status_code == 400
    assert scene.get(f"/identity/{one}?from=99999999999999999999").status_code == 400


def test_an_identity_and_its_successor_lead_to_each_other(scene):
    two, after = scene.twin("two")["beside"], scene.twin("next")["beside"]
    assert two["followed_by"] == scene.people["next"].name
    assert after["follows"] == scene.people["two"].name


def test_workload_goes_on_speaking_with_old_keys_and_its_successor_is_still_told(tmp_path):
    with Log.create(tmp_path / "log", origin="log.example/old") as log:
        old = Identity.boot(on(app_compose("shop")), store=log, now=lambda: NOW)
        new = old.rotate(reason="update")
        for number in range(SHOWN + 1):
            old.seal(f"late {number}", outputs={"x": b"%d" % number})
        log.publish()
    page = Scene(tmp_path / "log", {"old": old})
    assert page.twin("old")["beside"]["followed_by"] == new.name


def test_receipts_name_it_by_its_keyset_and_the_page_is_the_same(scene):
    record = scene.people["one"].record
    by_keyset = scene.get(f"/identity/{record.keyset_digest.removeprefix('sha256:')}.json").json()
    assert by_keyset["id"] == record.name


def test_a_code_page_says_what_it_is_and_where_it_ran(scene):
    value = sha256(app_compose("shop")).hex()
    twin = scene.get(f"/code/{value}.json").json()
    assert twin["code"]["name"] == "shop"
    assert twin["named_by"] == "compose_hash"
    assert twin["count"] == 3
    assert scene.people["other"].name not in twin["latest"]
    text = scene.get(f"/code/{value}").text
    assert "An image by its digest: exactly this code." in text
    missing = scene.get(f"/code/{'0' * 64}.json")
    assert (missing.status_code, missing.json()["error"]) == (404, "code_unknown")


def test_author_of_code_gives_it_a_hostile_name_and_a_loose_image(scene):
    text = scene.page("hostile")
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert "Not by digest: whatever stands behind that name today." in text


def test_an_identity_that_is_not_here_is_said_to_be_unknown(scene):
    answer = scene.get(f"/identity/{'0' * 64}.json")
    assert answer.json()["error"] == "identity_unknown"
    assert scene.get("/identity/zz.json").json()["error"] == "id_malformed"


def flipped(data: bytes, at: int = 700) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def alone(tmp_path, record: bytes, blobs: dict[str, bytes]) -> Scene:
    """A log in which somebody wrote a record with his own evidence."""
    with Log.create(tmp_path / "log", origin="log.example/alone") as log:
        with closing(Contents(log)) as contents:
            contents.add_identity(record, blobs)
        log.publish()
    return Scene(tmp_path / "log", {})


def test_operator_flips_one_byte_of_the_quote_and_the_page_says_so(scene, tmp_path):
    one = scene.people["one"]
    quote = one.record.attachments["quote"]
    wrong = flipped(one.blobs[quote])
    name = named(sha256(wrong))
    record = msgspec.structs.replace(
        one.record, attachments={**one.record.attachments, "quote": name}
    )
    given = alone(tmp_path, record.encode(), {**one.blobs, name: wrong})
    given.people["one"] = one
    told = given.twin("one")["told"]
    assert told["badge"] == "NOT AUTHENTIC"
    assert told["sentence"].startswith("Do not rely on these keys: a check failed.")
    assert told["answers"][0]["answer"] == "Not established"
    assert told["answers"][4]["answer"] == "Do not rely on it"
    text = given.page("one")
    assert "What does not hold" in text
    assert "expected" in text


def test_host_changes_the_bytes_under_the_log_and_the_page_says_so(scene, tmp_path):
    one = scene.people["one"]
    given = alone(tmp_path, one.record.encode(), one.blobs)
    given.people["one"] = one
    assert given.twin("one")["told"]["badge"] == "SIMULATED, AND ALLOWED AS SUCH"
    digest = one.record.attachments["quote"].removeprefix("sha256:")
    (blob,) = [path for path in (tmp_path / "log" / "blobs").rglob("*") if digest[2:] in path.name]
    blob.write_bytes(flipped(blob.read_bytes()))
    answer = given.twin("one")
    assert answer["told"]["badge"] == "NOT AUTHENTIC"
    assert answer["claims"] == []
    assert given.get(f"/identity/{one.digest.hex()}.tar").status_code == 503
    assert "cannot be handed out" in given.page("one")


def test_an_identity_whose_evidence_is_missing_cannot_be_told(scene, tmp_path):
    one = scene.people["one"]
    blobs = {k: v for k, v in one.blobs.items() if k != one.record.attachments["quote"]}
    given = alone(tmp_path, one.record.encode(), blobs)
    given.people["one"] = one
    told = given.twin("one")["told"]
    assert told["badge"] == "CANNOT TELL"
    assert told["answers"][4]["answer"] == "Get what is missing"


def test_an_expired_identity_says_that_it_may_sign_nothing_any_more(scene):
    late = NOW + timedelta(days=8)
    answer = scene.twin("one", at=late)
    told = answer["told"]
    assert "KEYS EXPIRED" in told["badge"]
    assert "They expired on 2026-03-08" in told["sentence"]
    assert told["answers"][1]["answer"] == "Nothing any more: its keys expired on 2026-03-08"
    assert {key["state"] for key in answer["keys"]} == {"expired"}
    assert {key["state"] for key in scene.twin("one")["keys"]} == {"valid"}


def test_a_simulator_that_nobody_opted_in_to_is_told_as_refused(scene):
    told = scene.twin("one", trusted=False)["told"]
    assert told["badge"] == "SIMULATED, NOT ALLOWED"
    assert "the policy here does not accept it" in told["sentence"]
    assert told["answers"][4]["answer"] == "Treat it as a rehearsal"


def test_on_hardware_the_sentence_says_so_and_only_then_is_it_good(scene):
    record = scene.people["one"].record
    with Log.open(scene.directory, read_only=True) as log, closing(Contents(log)) as contents:
        found = verify_identity(contents, record.digest, now=NOW, trust=Trust(policy=policy()))
    assert found.evidence is not None
    real = msgspec.structs.replace(found.evidence, level="hardware", confidential=True)
    verdict = msgspec.structs.replace(found, evidence=real)
    told = told_identity(verdict, record, code=None, now=NOW, commands=())
    assert (told.tone, told.badge) == ("good", "AUTHENTIC AND ALLOWED")
    assert told.sentence.startswith("These keys were made in an Intel TDX machine")
    late = told_identity(verdict, record, code=None, now=NOW + timedelta(days=9), commands=())
    assert late.tone == "unknown"


def test_an_identity_judged_alone_is_judged_as_in_a_proof(scene):
    from teeproof.proof.file import ProofFile, export
    from teeproof.proof.verify import verify_proof

    one = scene.people["one"]
    trust = Trust(policy=policy())
    with Log.open(scene.directory, read_only=True) as log, closing(Contents(log)) as contents:
        alone_ = verify_identity(contents, one.digest, now=NOW, trust=trust)
        said = next(iter(contents.statements()))
        stream = io.BytesIO()
        export(contents, [said], stream)
    with ProofFile.from_bytes(stream.getvalue()) as proof:
        (there,) = verify_proof(proof, now=NOW, trust=trust).identities
    assert there == alone_
    assert alone_.exit_code == 0


def test_search_and_the_list_of_what_is_here_lead_to_it(scene):
    one = scene.people["other"].digest.hex()
    found = scene.get(f"/search?q={one[:12]}")
    assert (found.status_code, found.headers["location"]) == (303, f"/identity/{one}")
    compose = sha256(app_compose("bank")).hex()
    pages = scene.get(f"/search.json?q={compose}").json()["found"]
    assert [one["page"] for one in pages] == [f"/code/{compose}"]
    assert f'href="/identity/{scene.people["next"].digest.hex()}"' in scene.get("/here").text


def test_the_page_of_a_statement_leads_to_its_author(scene):
    one = scene.people["one"]
    said = scene.twin("one")["beside"]["said"][0]["id"].removeprefix("sha256:")
    assert f'href="/identity/{one.digest.hex()}"' in scene.get(f"/p/{said}").text


def test_an_attester_without_a_compose_file_has_no_code_in_words(tmp_path):
    person = Identity.boot(attester(), now=lambda: NOW)
    record = person.record
    kept = {k: v for k, v in record.attachments.items() if k != "compose"}
    given = alone(
        tmp_path, msgspec.structs.replace(record, attachments=kept).encode(), person.blobs
    )
    given.people["one"] = person
    assert given.twin("one")["code"] is None

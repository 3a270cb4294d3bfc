"""The pages of models, answers and pools: over a log that the real services filled."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import httpx
import msgspec
import pytest

from teeproof.core.digests import named, parse_named, sha256
from teeproof.data.statements import DATASET
from teeproof.evidence.verdict import failed
from teeproof.explorer.log import ties
from teeproof.explorer.log.content import Book
from teeproof.explorer.log.ties import Ties, tied
from teeproof.explorer.log.together import Together
from teeproof.explorer.made import pools
from teeproof.explorer.made.answers import compared
from teeproof.explorer.made.events import events_of
from teeproof.explorer.made.pasted import MOST_BYTES
from teeproof.explorer.made.standing import UNCHECKED, standing_of
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.links import Subject
from teeproof.proof.source import read_record
from teeproof.proof.statement import Statement
from teeproof.proof.verify import Fault
from teeproof.training.statements import MODEL, Training
from tests.data.scenes import NOW
from tests.explorer.conftest import ask
from tests.explorer.made import REQUEST, STREAM, Scene, answer, app_of, false_withdrawal, forged


@dataclass
class Over:
    """The explorer over the scene's log."""

    app: Any
    book: Book
    scene: Scene

    def get(self, path: str, **more: object) -> httpx.Response:
        return ask(self.app, "GET", path, **more)

    def post(self, path: str, **more: object) -> httpx.Response:
        return ask(self.app, "POST", path, **more)

    def text(self, path: str) -> str:
        """What a page says, without markup."""
        page = self.get(path)
        assert page.status_code == 200, page.text[:500]
        return words(page)

    def answer(self, name: str) -> str:
        return f"/answer/{self.scene.answers[name].id.hex()}"


def words(page: httpx.Response) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.text))).replace(" .", ".")


@pytest.fixture(scope="session")
def over(made: Scene, tmp_path_factory: pytest.TempPathFactory) -> Over:
    app, book = app_of(made.log(tmp_path_factory.mktemp("over") / "log"))
    return Over(app, book, made)


def lied_over(made: Scene, directory: Any, *records: bytes, codes: tuple[str, ...] = ()) -> Over:
    """The explorer over the same log with more records in it."""
    adding = [lambda contents, one=one: contents.add_statement(one) for one in records]
    app, book = app_of(made.log(directory / "log", *adding), *codes)
    return Over(app, book, made)


def test_a_model_is_told_in_one_sentence_with_whose_word_it_is(over: Over) -> None:
    said = over.scene.trained["whole"].predicate
    page = over.text(f"/model/{over.scene.model('whole')}")
    records = sum(source.records for source in said.sources)
    assert (
        f"On SIMULATED machines, a trainer made this model from 2 contributions with {records}"
        f" records; by its own word it gets {said.after.right} of 60 held-out orders" in page
    )
    assert "The trainer's word alone: nobody has measured it again here." in page
    assert "Nobody who is trusted here vouches for a time." in page


def test_a_curve_is_drawn_of_the_numbers_that_the_trainer_told(over: Over) -> None:
    said = over.scene.trained["whole"].predicate
    page = over.get(f"/model/{over.scene.model('whole')}").text
    loss, score = (
        ElementTree.fromstring(one) for one in re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    )
    svg = "{http://www.w3.org/2000/svg}"
    assert len(loss.findall(f"{svg}circle")) == len(said.losses) == 4
    assert len(score.findall(f"{svg}circle")) == len(said.looks) + 2
    heights = [
        float(spot.split(",")[1]) for spot in loss.find(f"{svg}polyline").get("points").split()
    ]
    losses = [float(one.loss) for one in said.losses]
    assert sorted(range(4), key=heights.__getitem__) == sorted(range(4), key=lambda k: -losses[k])
    for one in said.losses:
        row = f'<th scope="row" class="num">{one.step}</th><td class="num">{one.loss}</td>'
        assert row in page
    twin = over.get(f"/model/{over.scene.model('whole')}.json").json()
    assert twin["losses"] == [[one.step, one.loss] for one in said.losses]


def test_each_tensor_is_listed_and_the_root_follows_from_the_list(over: Over) -> None:
    statement = over.scene.trained["whole"]
    page = over.text(f"/model/{over.scene.model('whole')}")
    assert (
        f"The root follows from {len(statement.predicate.tensors)} tensors and the files." in page
    )
    for one in statement.predicate.tensors:
        assert one.name in page
    twin = over.get(f"/model/{over.scene.model('whole')}.json").json()
    first = twin["tensors"][0]
    assert first["bytes"] == 4 * first["shape"][0] * first["shape"][1]
    assert {one["name"] for one in twin["files"]} >= {"model", "model.safetensors", "config.json"}
    assert set(twin["files"][0]["digest"]) == {"blake3", "sha256"}


def test_models_of_the_same_data_stand_side_by_side(over: Over) -> None:
    page = over.get(f"/model/{over.scene.model('whole')}").text
    table = page.split('aria-label="Models of the same data"')[1].split("</table>")[0]
    assert f"/model/{over.scene.model('part')}" in table
    row = re.search(r"contribution 1</th>(.*?)</tr>", table)
    assert row is not None
    assert re.findall(r"<td>(.*?)</td>", row[1]) == ["used", "left out"]
    part = over.get(f"/model/{over.scene.model('part')}").text
    table = part.split('aria-label="Models of the same data"')[1]
    row = re.search(r"contribution 1</th>(.*?)</tr>", table)
    assert row is not None
    assert re.findall(r"<td>(.*?)</td>", row[1]) == ["left out", "used"]


def test_a_withdrawn_part_is_told_of_a_model_that_saw_it_and_of_one_that_did_not(
    over: Over,
) -> None:
    whole = over.text(f"/model/{over.scene.model('whole')}")
    part = over.text(f"/model/{over.scene.model('part')}")
    assert "withdrawn by its owner : this model has seen it" in whole
    assert "withdrawn by its owner : this model never saw it" in part
    assert "earns nothing by this model" in part
    assert "earns nothing by this model" not in whole
    twin = over.get(f"/model/{over.scene.model('part')}.json").json()
    assert [one["share_millionths"] for one in twin["parts"]] == [0, 1_000_000]


def test_stranger_claims_that_a_contribution_was_withdrawn(made: Scene, tmp_path: Any) -> None:
    false = made.server.sign(false_withdrawal(made, 1)).encode()
    over = lied_over(made, tmp_path, false)
    page = over.text(f"/model/{made.model('part')}")
    assert "a withdrawal is claimed , which ✗ does not hold: the owner did not sign" in page
    pool = over.get(f"/pool/{made.pool}.json").json()
    first, second = made.school.contributed[:2]
    assert pool["datasets"][0]["withdrawn_since"] == [first.contribution]
    claimed = next(one for one in pool["contributions"]["latest"]
                   if one["contribution"] == second.contribution)  # fmt: skip
    assert claimed["withdrawn"]["standing"]["exit_code"] == 2


def test_strangers_claims_do_not_hide_that_a_part_was_withdrawn(
    made: Scene, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is beyond the claims that a page looks at is not told as still given."""
    monkeypatch.setattr("teeproof.explorer.made.pools._LOOKS", 0)
    page = lied_over(made, tmp_path).text(f"/pool/{made.pool}")
    assert "of 1 part a withdrawal is claimed that does not hold, or was not checked here" in page
    assert "nobody says that a part" not in page


def test_strangers_withdrawals_do_not_hide_the_pools_own(
    made: Scene, over: Over, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teeproof.explorer.made.models._MOST_CLAIMED", 0)
    page = over.text(f"/model/{made.model('whole')}")
    assert "withdrawn by its owner : this model has seen it" in page


def test_operator_of_a_log_shows_two_histories_and_nothing_in_it_holds(over: Over) -> None:
    """That is a fault of the log alone: each statement's own checks pass."""
    about = over.get(f"/pool/{over.scene.pool}.json").json()["about"]
    honest = over.book.page(parse_named(about)).verdict
    check = failed("forks", "log_forked", "the log shows two histories")
    fault = Fault(where="log", subject="log.example/made", path=(), check=check)
    forked = msgspec.structs.replace(honest, faults=(fault,), ok=False)
    for verdict, code, concern in ((honest, 0, None), (forked, 2, "authenticity")):
        together = Together(verdict=verdict, reads={}, at=NOW)
        for one in verdict.statements:
            assert standing_of(verdict, one.id).code == code
            assert together.objection(one.id[7:]) == concern


@pytest.mark.parametrize("size", [1, 3 << 20])
def test_what_a_visitor_compares_touches_no_disk(
    over: Over, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says that nothing is stored: a question of millions of bytes is no exception."""

    def written(*_: object) -> None:
        raise AssertionError("what a visitor gave was about to be written to a disk")

    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", written)
    page = over.post(over.answer("stream"), files={"response_file": ("a", b"s" * size)})
    assert "✗ This is not the response that was signed." in words(page)


def test_strangers_who_say_that_they_are_the_pool_change_nothing_of_its_sentence(
    made: Scene, over: Over, tmp_path: Any
) -> None:
    """One signs as himself, another writes in the pool's name; both speak last."""
    reads = [read_record(data) for data, blobs in made.school.store.calls if blobs is None]
    words = next(read.statement.predicate for read in reads if read.type == DATASET)
    subjects = (Subject({"sha256": "ab" * 32}, name="dataset"),)
    lies = []
    for number in range(3):
        more = msgspec.structs.replace(words, records=number)
        own = msgspec.structs.replace(more, author=made.server.name)
        lies.append(made.server.sign(Statement.of(own, subjects=subjects)).encode())
        payload = Statement.of(more, subjects=subjects).payload
        lies.append(Envelope(payload, (Signature(words.author, bytes(64)),)).encode())
    told = lied_over(made, tmp_path, *lies).get(f"/pool/{made.pool}.json").json()
    truth = over.get(f"/pool/{made.pool}.json").json()
    assert truth["standing"]["exit_code"] == 0
    assert (told["about"], told["standing"]) == (truth["about"], truth["standing"])
    assert {one["standing"]["exit_code"] for one in told["datasets"]} == {0, 2}
    assert (len(told["datasets"]), told["left_out"]) == (len(truth["datasets"]) + 3, 3)


def test_strangers_crowd_a_pool_and_its_page_says_what_was_not_looked_at(
    made: Scene, over: Over, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each signs as himself: then nobody can tell him from the pool but by a verdict."""
    reads = [read_record(data) for data, blobs in made.school.store.calls if blobs is None]
    words_ = next(read.statement.predicate for read in reads if read.type == DATASET)
    own = msgspec.structs.replace(words_, author=made.server.name, records=7)
    said = Statement.of(own, subjects=(Subject({"sha256": "ab" * 32}, name="dataset"),))
    monkeypatch.setattr("teeproof.explorer.made.pools._AUTHORS", 1)
    lied = lied_over(made, tmp_path, made.server.sign(said).encode())
    assert "not every author’s was looked at" in lied.text(f"/pool/{made.pool}")
    assert "not every author’s was looked at" not in over.text(f"/pool/{made.pool}")
    monkeypatch.undo()
    assert lied.get(f"/pool/{made.pool}.json").json()["all_tried"] is True


def test_trainer_whose_job_is_none_is_told_so_on_the_page_of_the_model(
    made: Scene, tmp_path: Any
) -> None:
    """The judge says no more than that the claim cannot be read: the page stands nevertheless."""
    truth: Training = made.trained["whole"].predicate
    job = msgspec.structs.replace(truth.job, purpose="\x00")
    false = msgspec.structs.replace(truth, author=made.server.name, job=job)
    said = Statement.of(false, subjects=(Subject({"sha256": "ee" * 32}, name=MODEL),))
    over = lied_over(made, tmp_path, made.server.sign(said).encode())
    page = over.text(f"/model/{'ee' * 32}")
    assert "NOT AUTHENTIC" in page
    assert "what it claims cannot be read" in page
    assert "Whether the model's root follows from what is listed was not checked" in page


def test_a_model_of_code_that_the_policy_does_not_allow_looks_different(
    made: Scene, over: Over, tmp_path: Any
) -> None:
    school = made.school
    codes = school.kms_code.compose_hash, school.pool_code.compose_hash
    strict = lied_over(made, tmp_path, codes=codes)
    path = f"/model/{made.model('whole')}"
    page, allowed = strict.text(path), over.text(path)
    assert "SIMULATED, NOT ALLOWED" in page
    assert "the policy here does not allow that" in page
    assert "What does not hold" in page
    assert school.trainer_code.compose_hash in page  # what it ran, beside what was expected
    for said in ("NOT ALLOWED", "does not allow", "What does not hold"):
        assert said not in allowed
    pool = strict.text(f"/pool/{made.pool}")
    assert "SIMULATED, AND ALLOWED AS SUCH" in pool  # the pool's own code is allowed
    assert "is not what the policy here allows" in pool  # and its models' is not
    assert "is not what the policy here allows" not in over.text(f"/pool/{made.pool}")


@pytest.mark.parametrize("which", ["request", "response"])
def test_the_bytes_that_were_signed_are_told_from_those_one_byte_away(
    over: Over, which: str
) -> None:
    data = {"request": REQUEST, "response": STREAM}[which]
    path = over.answer("stream")
    same = words(over.post(path, files={f"{which}_file": ("a", data)}))
    assert f"✓ This is the {which} that was signed." in same
    assert "✗" not in same
    other = words(over.post(path, files={f"{which}_file": ("a", data[:-1] + b"!")}))
    assert f"✗ This is not the {which} that was signed." in other
    assert "✓ This is" not in other
    twin = over.post(f"{path}.json", files={f"{which}_file": ("a", data)}).json()
    assert twin["compared"] == [
        {"which": which, "same": True, "bytes": len(data), "got": named(sha256(data)),
         "expected": twin["digests"][which], "changed": ""}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (STREAM.replace(b"\n", b"\r\n"), "✓ This is the response that was signed."),
        (STREAM[:-1].replace(b"\n", b"\r\n"), "✓ This is the response that was signed, with one"
         " more line end at its end."),
        (STREAM + b"\r\n", "✓ This is the response that was signed, without the last line end."),
        (STREAM[:-2], "✗ This is not the response that was signed."),
        (STREAM + b"\n\n", "✗ This is not the response that was signed."),
        (STREAM.replace(b"sell", b"buy "), "✗ This is not the response that was signed."),
    ],
)  # fmt: skip
def test_what_a_form_does_to_line_ends_is_undone_and_told(
    over: Over, text: bytes, said: str
) -> None:
    page = words(over.post(over.answer("stream"), data={"response": text.decode(), "request": ""}))
    assert said in page


def test_a_file_is_taken_to_the_byte(over: Over) -> None:
    files = {"response_file": ("a", STREAM.replace(b"\n", b"\r\n"))}
    assert "✗ This is not" in words(over.post(over.answer("stream"), files=files))
    assert compared("request", b"x\r\n", named(sha256(b"x\n")), pasted=True).same
    assert not compared("request", b"x\r\n", named(sha256(b"x\n")), pasted=False).same


def test_nothing_of_what_was_pasted_is_shown_or_kept(over: Over) -> None:
    secret = "the visitor's own words"
    page = over.post(over.answer("plain"), data={"request": secret})
    assert secret not in page.text
    assert secret not in over.get(over.answer("plain")).text


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"data": {"request": "", "response": ""}}, 400, "upload_empty"),
        ({"data": {"policy": "x"}}, 400, "upload_empty"),
        ({"data": {"request": "a"}, "files": {"request_file": ("f", b"a")}}, 400,
         "upload_malformed"),
        ({"content": b"a", "headers": {"content-type": "text/plain"}}, 400, "upload_malformed"),
        ({"data": {"request": "a"}, "headers": {"sec-fetch-site": "cross-site"}}, 403,
         "upload_foreign"),
        ({"files": {"request_file": ("f", b"a" * (MOST_BYTES + 1))}}, 413, "too_large"),
        ({"data": {f"f{number}": "x" for number in range(50)}}, 400, "upload_malformed"),
    ],
)  # fmt: skip
def test_client_sends_what_is_no_body(over: Over, sent: dict, status: int, code: str) -> None:
    found = over.post(f"{over.answer('plain')}.json", **sent)
    assert (found.status_code, found.json()["error"]) == (status, code)


def test_a_receipt_that_does_not_verify_looks_different(
    made: Scene, over: Over, tmp_path: Any
) -> None:
    bad = forged(made.answers["plain"])
    lied = lied_over(made, tmp_path, bad)
    path = f"/answer/{read_record(bad).id.hex()}"
    page = lied.text(path)
    assert "Do not rely on this: a check failed." in page
    assert "NOT AUTHENTIC" in page
    assert "What does not hold" in page
    true = lied.text(over.answer("plain"))
    for said in ("Do not rely", "NOT AUTHENTIC", "What does not hold"):
        assert said not in true
    assert "What follows is what it claims." in page
    assert "Nothing is owed by a receipt that does not hold." in page
    assert "This is what is owed." in true
    same = words(lied.post(path, files={"request_file": ("a", REQUEST)}))
    assert "✓ This is the request that was signed." in same
    assert "But the receipt itself does not hold" in same


def test_an_answer_tells_model_machine_fee_and_what_used_it(over: Over) -> None:
    page = over.get(over.answer("stream"))
    assert f'href="/model/{over.scene.model("whole")}"' in page.text
    assert f'href="/p/{over.scene.said["used"].id.hex()}"' in page.text
    said = words(page)
    assert "act on <b>it</b>" in said
    assert "<b>it</b>" not in page.text
    twin = over.get(f"{over.answer('stream')}.json").json()
    fee = twin["fee"]
    assert sum(int(one["amount"]) for one in fee["payees"]) + int(fee["kept"]) == 300_000
    assert {one["role"] for one in fee["payees"]} == {"model", "data"}
    assert fee["kept"] == "120000"  # no lease, so the machine's part is nobody's
    assert twin["used_by"][0]["standing"]["exit_code"] == 0


def test_service_writes_events_that_nobody_knows(over: Over) -> None:
    page = over.get(over.answer("odd"))
    assert "<script>alert" not in page.text
    assert "An event that these pages do not know" in words(page)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "x.usage"}, {"type": "x.usage", "prompt_tokens": "9", "completion_tokens": 1},
        {"type": "x.stream", "events": None}, {"type": "x.stream", "events": 1},
        {"type": "request.received", "body_hash": "sha256:../.."}, {"type": "x.model", "digest": 7},
        {"type": "x.generation", "seed": 1}, {"type": ["x.links"]}, {"type": {}}, {},
        {"type": "x.refusal"}, {"type": "x.links", "role": {}, "digest": "sha256:" + "0" * 64},
    ],
)  # fmt: skip
def test_service_writes_an_event_of_another_form(event: dict) -> None:
    ((_, said),) = events_of({"event_log": [event, "no event", 7]})
    assert said.startswith("An event that ")


def test_events_are_told_up_to_a_bound() -> None:
    body = {"event_log": [{"type": "x.refusal", "code": "c" * 10_000}] * 5_000}
    found = events_of(body)
    assert len(found) == 40
    assert max(len(said) for _, said in found) < 200
    assert events_of({"event_log": "none"}) == events_of({}) == []


def test_a_pool_tells_its_terms_what_came_and_why_it_weighs_so(over: Over) -> None:
    page = over.text(f"/pool/{over.scene.pool}")
    assert (
        "the data pool “orders” decided on 3 contributions; 1 of these was withdrawn since" in page
    )
    assert "40 % to the owner of the machine" in page
    assert over.scene.school.trainer_code.compose_hash in page
    assert "a copy: it earns nothing" in page
    assert "mostly what 1 earlier file had" in page
    assert "1 part withdrawn since: no later training gets that key" in page
    assert "Who a contributor is, no statement says: a key and an account." in page
    twin = over.get(f"/pool/{over.scene.pool}.json").json()
    assert [one["decision"] for one in twin["contributions"]["latest"]] == [
        "copy", "accepted", "accepted",
    ]  # fmt: skip
    assert {one["model"] for one in twin["models"]} == {
        f"sha256:{over.scene.model(name)}" for name in ("whole", "part")
    }


def test_what_the_data_is_owed_is_the_sum_over_its_answers(
    over: Over, made: Scene, tmp_path: Any
) -> None:
    fees = [over.get(f"{over.answer(name)}.json").json()["fee"] for name in made.answers]
    wanted: dict[str, int] = {}
    for one in (payee for fee in fees for payee in fee["payees"] if payee["role"] == "data"):
        wanted[one["address"]] = wanted.get(one["address"], 0) + int(one["amount"])
    earned = over.get(f"/pool/{made.pool}.json").json()["earned"]
    assert {one["account"]: int(one["amount"]) for one in earned["by_account"]} == wanted
    assert (earned["answers"], earned["counted"]) == (3, 3)
    lied = lied_over(made, tmp_path, forged(made.answers["plain"]))
    earned = lied.get(f"/pool/{made.pool}.json").json()["earned"]
    assert (earned["answers"], earned["counted"]) == (3, 3)  # what nobody signed is in no list
    assert {one["account"]: int(one["amount"]) for one in earned["by_account"]} == wanted


def test_statements_search_and_the_list_lead_to_the_pages(over: Over) -> None:
    scene = over.scene
    model, pool = f"/model/{scene.model('whole')}", f"/pool/{scene.pool}"
    training, receipt = scene.trained["whole"].id.hex(), scene.answers["stream"].id.hex()
    dataset = scene.school.dataset.statement.id.hex()
    for statement, href in (
        (training, model), (receipt, f"/answer/{receipt}"), (receipt, model), (dataset, pool),
        (scene.said["used"].id.hex(), f"/answer/{receipt}"),
    ):  # fmt: skip
        assert f'href="{href}"' in over.get(f"/p/{statement}").text
        assert over.get(href).status_code == 200
    for text, href in ((scene.model("whole"), model), (f"sha256:{scene.pool}", pool)):
        assert f'href="{href}"' in over.get("/search", params={"q": text}).text
        assert href in over.get("/search.json", params={"q": text}).json()["things"]
    here = over.get("/here.json").json()
    assert [here[name]["count"] for name in ("models", "answers", "pools")] == [2, 3, 1]
    for name in ("models", "answers", "pools"):
        for row in here[name]["latest"]:
            assert over.get(row["href"]).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/model/{no}.json", 404, "model_not_here"), ("/pool/{no}.json", 404, "pool_not_here"),
        ("/answer/{no}.json", 404, "statement_unknown"),
        ("/answer/{training}.json", 404, "answer_not_here"), ("/model/x.json", 400, "id_malformed"),
        ("/model/{model}.json?page=0", 400, "page_malformed"),
        ("/model/{model}.json?page=-1", 400, "page_malformed"),
        ("/pool/{pool}.json?page=99999999", 400, "page_malformed"),
        ("/pool/{pool}.json?page=٣", 400, "page_malformed"),
    ],
)  # fmt: skip
def test_client_asks_for_what_is_none(over: Over, path: str, status: int, code: str) -> None:
    scene = over.scene
    asked = path.format(no="ab" * 32, training=scene.trained["whole"].id.hex(),
                        model=scene.model("whole"), pool=scene.pool)  # fmt: skip
    found = over.get(asked)
    assert (found.status_code, found.json()["error"]) == (status, code)


def test_many_answers_come_page_by_page(made: Scene, tmp_path: Any) -> None:
    more = [answer(made, "whole", b"%d" % n, name=f"n{n}").encode() for n in range(150)]
    over = lied_over(made, tmp_path, *more)
    path = f"/model/{made.model('whole')}"
    first, last = over.get(path), over.get(f"{path}?page=2")
    ids = [re.findall(r'href="/answer/([0-9a-f]{64})"', page.text) for page in (first, last)]
    assert [len(one) for one in ids] == [100, 53]
    assert len({*ids[0], *ids[1]}) == 153
    assert "page 1 of 2" in words(first)
    assert "?page=2" in first.text
    assert len(first.content) < 100_000
    assert over.get(f"{path}.json?page=3").json()["answers"]["latest"] == []
    pool = over.get(f"/pool/{made.pool}.json").json()
    assert (pool["earned"]["answers"], pool["earned"]["looked_at"]) == (153, 20)


def test_a_model_that_nobody_says_how_it_was_made(made: Scene, tmp_path: Any) -> None:
    log = [{"type": "request.received", "body_hash": named(sha256(REQUEST))},
           {"type": "x.model", "digest": "sha256:" + "12" * 32}]  # fmt: skip
    made_by_nobody = answer(made, "whole", b"x", name="lonely", event_log=log)
    over = lied_over(made, tmp_path, made_by_nobody.encode())
    page = over.text(f"/model/{'12' * 32}")
    assert "Nobody says in a way that can be read here how this model was made." in page
    assert "Answers that it gave 1" in page
    assert over.get(f"/answer/{made_by_nobody.id.hex()}").status_code == 200


def test_ties_hold_a_bounded_number_whoever_writes(
    made: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_record(made.answers["plain"].encode())
    every = Ties()
    for number in range(100_000):
        every.add(number.to_bytes(32, "big"), tied(read))
    model = made.model("whole")
    assert every.count("answers", model) == 100_000
    assert [int.from_bytes(one, "big") for one in every.latest("answers", model, count=2)] == [
        99_999, 99_998,
    ]  # fmt: skip
    assert every.latest("answers", model, start=99_999) == [bytes(32)]
    assert every.latest("answers", model, start=100_000) == []
    monkeypatch.setattr(ties, "MOST_TIES", 3)
    few = Ties()
    for number in range(10):
        few.add(number.to_bytes(32, "big"), tied(read))
    assert few.full
    assert few.count("answers", model) == 3
    (link,) = (each for each in read.links if each.role == "model")
    links = tuple(link._replace(digest=named(sha256(b"%d" % one))) for one in range(3_000))
    many = read._replace(links=links)
    assert len(tied(many)) == 16
    assert len(Ties().of(tied(many))) == 16


def test_a_pools_page_verifies_a_bounded_number_of_withdrawals_each_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def looked(book: Any, contribution: str, *, author: bytes | None) -> Any:
        asked.append(contribution)
        return b"w" * 32, UNCHECKED

    claims: Any = SimpleNamespace(first=lambda *_, count: [b"c" * 32])
    monkeypatch.setattr(pools, "withdrawal_of", looked)
    gone = pools._Gone(SimpleNamespace(ties=claims))  # type: ignore[arg-type]
    for _ in range(2):
        found = [gone.of(f"{number}", b"a" * 32) for number in range(30)]
    assert asked == [f"{number}" for number in range(10)]
    assert found[9] == (b"w" * 32, UNCHECKED)
    assert found[10] == (b"c" * 32, UNCHECKED), "claimed, and not looked at"
    claims.first = lambda *_, count: []
    assert gone.of("31", b"a" * 32) is None

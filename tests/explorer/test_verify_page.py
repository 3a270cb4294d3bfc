"""Files that people hand in: what is said of them, what is refused, and what is kept how long."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from teeproof.cli.explorer_desk import ExplorerDesk
from teeproof.core.errors import Unavailable
from teeproof.explorer.app import make_app
from teeproof.explorer.shelf import Shelf
from teeproof.explorer.uploads import MOST_BYTES, MOST_FILES
from teeproof.proof.file import ProofFile
from teeproof.proof.log.formats.checkpoint import Checkpoint, sign_checkpoint
from teeproof.proof.log.formats.note import NoteSigner
from teeproof.proof.monitor.fork import ForkProof
from tests.evidence import scenes
from tests.explorer.conftest import ask
from tests.proof.people import NOW, policy
from tests.proof.world import LOG_SEED, ORIGIN
from tests.vectors import each

AT = {"at": "2026-03-01T12:00:00Z"}


def evidence_files(quote: bytes | None = None):
    made = scenes.evidence()
    return [
        ("file", ("quote.bin", made.quote if quote is None else quote)),
        ("file", ("collateral.json", json.dumps(made.collateral.to_json()).encode())),
        ("file", ("event_log.json", made.event_log)),
    ]


@pytest.fixture
def judge(scene):
    return lambda **more: ask(scene, "POST", "/verify.json", **more)


@pytest.fixture(scope="module")
def scene():
    """An explorer without a log, whose operator accepts the simulator of the scenes."""
    desk = ExplorerDesk(policy=scenes.opt_in(), logs=None, words=("--policy", "mine.toml"))
    return make_app(None, command=str, desk=desk, now=lambda: NOW)


def test_simulated_evidence_is_called_simulated_and_never_real(judge):
    answer = judge(files=evidence_files(), data=AT | {"policy": "own"}).json()
    assert (answer["ok"], answer["exit_code"], answer["kind"]) == (True, 0, "evidence")
    told = answer["told"]
    assert told["badge"] == "SIMULATED, AND ALLOWED AS SUCH"
    strength = told["answers"][2]["points"]
    assert strength["Are the machines real?"].startswith("No.")
    assert strength["Could their operator read it?"].startswith("Assume yes")
    assert "--policy mine.toml" in answer["check_it_yourself"]


def test_its_twin_one_bit_away_is_not_authentic(judge):
    quote = bytearray(scenes.evidence().quote)
    quote[200] ^= 1
    answer = judge(files=evidence_files(bytes(quote)), data=AT | {"policy": "own"}).json()
    assert (answer["ok"], answer["exit_code"]) == (False, 2)
    assert answer["told"]["badge"] == "NOT AUTHENTIC"
    assert answer["told"]["sentence"].startswith("Do not rely on this")


def test_what_has_expired_is_told_apart_from_what_is_false(judge):
    late = {"at": "2028-03-01T12:00:00Z", "policy": "own"}
    told = judge(files=evidence_files(), data=late).json()["told"]
    assert told["badge"] == "NOT AUTHENTIC"
    assert "what vouches for it has expired, and no other check failed" in told["sentence"]
    quote = bytearray(scenes.evidence().quote)
    quote[200] ^= 1
    told = judge(files=evidence_files(bytes(quote)), data=late).json()["told"]
    assert told["sentence"].startswith("Do not rely on this: a check failed.")
    early = judge(files=evidence_files(), data=late | {"at": "2020-03-01T12:00:00Z"}).json()["told"]
    assert early["sentence"].startswith("Do not rely on this: a check failed.")


def test_without_the_opt_in_a_simulator_is_not_allowed(judge):
    answer = judge(files=evidence_files(), data=AT).json()
    assert (answer["exit_code"], answer["told"]["badge"]) == (4, "SIMULATED, NOT ALLOWED")


def test_a_result_has_a_page_that_explains_every_field(scene):
    sent = ask(scene, "POST", "/verify", files=evidence_files(), data=AT | {"policy": "own"})
    assert sent.status_code == 303
    address = sent.headers["location"]
    assert re.fullmatch(r"/v/[0-9a-f]{32}", address)
    page = ask(scene, "GET", address).text
    for words in (
        "Who ran this?", "What was said?", "How strong is it?", "What was not checked?",
        "What do I do next?", "tee_tcb_svn", "mrseam", "mrtd", "rtmr0", "rtmr3", "report_data",
        "The measurement of the firmware and of the memory", "proves nothing against the server",
        "this page is kept until 2 Mar 2026, 12:00 UTC",
    ):  # fmt: skip
        assert words in page, words
    twin = ask(scene, "GET", f"{address}.json").json()
    assert (twin["kind"], twin["page"]) == ("evidence", address)


def test_no_page_shows_the_number_that_names_a_machine_for_ever(scene):
    from teeproof.cli.claims import claims
    from teeproof.evidence.files.kinds import identify

    quote = scenes.evidence().quote
    ppid = claims(identify(quote), ppid=True)["platform"]["ppid"]
    sent = ask(scene, "POST", "/verify", files=evidence_files(), data=AT)
    page = ask(scene, "GET", sent.headers["location"])
    twin = ask(scene, "GET", f"{sent.headers['location']}.json")
    assert ppid not in page.text.lower()
    assert ppid not in twin.text.lower()


def test_a_pasted_quote_is_told_of_too(judge):
    text = scenes.evidence().quote.hex()
    answer = judge(data=AT | {"text": f"{text[:200]}\n{text[200:]}"}).json()
    assert answer["kind"] == "evidence"
    assert answer["claims"][0]["written_as"] == "hex"


def test_a_file_may_come_as_the_body_itself(judge):
    answer = judge(content=scenes.evidence().quote).json()
    assert (answer["kind"], answer["exit_code"]) == ("evidence", 3)


def test_a_proof_is_judged_and_its_file_comes_back(shown, post, get):
    data = get(f"/p/{shown.sealed['answer'].id.hex()}.proof").content
    sent = post("/verify", files={"file": ("mine.proof", data)}, data=AT)
    address = sent.headers["location"]
    page = get(address)
    assert "SIMULATED, AND ALLOWED AS SUCH" in page.text
    assert "What was not checked?" in page.text
    assert get(f"{address}/file").content == data
    model = shown.sealed["model"].id.hex()
    assert f'href="{address}/p/{model}"' in page.text
    assert get(f"{address}/p/{model}").status_code == 200
    assert get(f"{address}/p/{'ab' * 32}").status_code == 404


def test_a_proof_that_was_changed_is_refused_and_told_as_such(shown, post, get):
    data = bytearray(get(f"/p/{shown.sealed['answer'].id.hex()}.proof").content)
    at = data.index(b'"signatures"') + 40
    data[at] = ord("A") if data[at] != ord("A") else ord("B")
    answer = post("/verify.json", files={"file": ("mine.proof", bytes(data))}, data=AT)
    body = answer.json()
    assert body["ok"] is False
    assert body.get("exit_code", 2) == 2


def test_a_proof_with_other_files_is_refused(shown, post, get):
    data = get(f"/p/{shown.sealed['answer'].id.hex()}.proof").content
    files = [("file", ("a.proof", data)), ("file", ("b.proof", data))]
    assert post("/verify.json", files=files).json()["error"] == "files_do_not_belong"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({}, 400, "upload_empty"),
        ({"data": {"text": "  "}}, 400, "upload_empty"),
        ({"content": b"what is this?"}, 400, "file_unknown"),
        ({"data": {"text": "00" * 10}}, 400, "file_unknown"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400,
         "upload_malformed"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=y"}}, 400,
         None),
    ],
)  # fmt: skip
def test_what_is_no_upload_is_refused_in_the_one_shape(judge, sent, status, code):
    answer = judge(**sent)
    body = answer.json()
    assert answer.status_code == status
    assert set(body) == {"ok", "error", "detail", "expected", "got"}
    assert code is None or body["error"] == code


def test_client_sends_more_than_is_taken_and_the_rest_is_not_read(scene):
    read = []

    async def body():
        for _ in range(64):
            read.append(1)
            yield b"\0" * (1 << 20)

    answer = ask(scene, "POST", "/verify.json", content=body())
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    assert len(read) <= (MOST_BYTES >> 20) + 2


def test_client_announces_more_than_is_taken(judge):
    answer = judge(content=b"x", headers={"content-length": str(MOST_BYTES + 1)})
    assert answer.status_code == 413


def test_client_sends_too_many_files(judge):
    files = [("file", (f"{number}", b"x")) for number in range(MOST_FILES + 1)]
    assert judge(files=files).json()["error"] == "upload_malformed"


@pytest.mark.parametrize("charset", ["punycode", "undefined", "utf-16", "latin-1", "x" * 99, ""])
def test_client_names_a_codec_whose_work_grows_with_the_square_of_a_text(judge, charset):
    body = b"--b\r\ncontent-disposition: form-data; name=text\r\n\r\nx-aa\r\n--b--\r\n"
    kind = f'multipart/form-data; boundary=b; charset="{charset}"'
    answer = judge(content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["error"]) == (400, "form_charset")
    kind = "multipart/form-data; boundary=b; charset=UTF-8"
    assert judge(content=body, headers={"content-type": kind}).json()["error"] == "file_unknown"


@pytest.mark.parametrize("separator", [b"&", b";", b"a=b&"])
def test_client_sends_many_empty_fields_and_is_cut_off(judge, separator):
    """No parser counts them, and each byte of them costs it some microseconds."""
    read = []

    async def body():
        for _ in range(8):
            read.append(1)
            yield separator * (1 << 16)

    kind = {"content-type": "application/x-www-form-urlencoded"}
    answer = judge(content=body(), headers=kind)
    assert (answer.status_code, answer.json()["error"]) == (400, "upload_malformed")
    assert len(read) == 1
    one = judge(content=b"&text=00&&policy=strict&", headers=kind).json()
    assert one["error"] == "file_unknown"


def test_client_sends_a_field_twice(judge):
    body = b"policy=strict&policy=own&text=00"
    answer = judge(content=body, headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.json()["error"] == "upload_malformed"


@pytest.mark.parametrize("name", ["/etc/passwd", "../mine.toml", "http://127.0.0.1/p", "unknown"])
def test_client_names_a_path_or_an_address_as_the_policy(judge, name):
    answer = judge(files=evidence_files(), data={"policy": name})
    assert (answer.status_code, answer.json()["error"]) == (400, "policy_unknown")


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "/etc/passwd",
        "a\r\nset-cookie: x.bin",
        "\u202ecod.exe",
        "x" * 2000,
        "<img src=x onerror=alert(1)>",
        "",
    ],
)
def test_client_gives_a_file_a_hostile_name(scene, name):
    files = [("file", (name or "q", scenes.evidence().quote))]
    sent = ask(scene, "POST", "/verify", files=files, data=AT)
    address = sent.headers["location"]
    page = ask(scene, "GET", address).text
    assert "<img" not in page
    assert "\u202e" not in page
    given = ask(scene, "GET", f"{address}/file/0")
    held = given.headers["content-disposition"]
    assert re.fullmatch(r'attachment; filename="[A-Za-z0-9_][A-Za-z0-9._-]{0,79}"', held)
    assert given.headers["content-type"] == "application/octet-stream"
    assert "set-cookie" not in given.headers
    assert given.content == scenes.evidence().quote


def test_network_another_sites_page_sends_the_form(judge):
    answer = judge(content=b"x", headers={"sec-fetch-site": "cross-site"})
    assert (answer.status_code, answer.json()["error"]) == (403, "upload_foreign")
    for origin, status in (
        ("https://evil.example", 403), ("http://127.0.0.1:9999", 403), ("https://127.0.0.1", 400),
        ("null", 400), (None, 400),
    ):  # fmt: skip
        headers = {} if origin is None else {"origin": origin}  # a browser that says no site
        assert judge(content=b"x", headers=headers).status_code == status, origin


def test_nothing_of_an_upload_stays_on_the_disk(scene, tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ask(scene, "POST", "/verify", files=evidence_files(), data=AT)
    assert list(tmp_path.iterdir()) == []


def test_the_form_works_without_a_script_and_says_how_long_a_result_is_kept(scene):
    page = ask(scene, "GET", "/verify").text
    assert "<script" not in page
    assert 'method="post"' in page
    assert 'enctype="multipart/form-data"' in page
    assert "kept for at most 24 hours" in page
    for name in ("file", "text", "policy", "at"):
        assert f'for="{name}"' in page


def test_an_explorer_without_a_desk_takes_no_files(shown):
    app = make_app(shown.book, command=str)
    assert ask(app, "GET", "/verify").status_code == 404
    assert ask(app, "POST", "/verify.json", content=b"x").json()["error"] == "route_unknown"


def test_a_shelf_forgets_what_is_old_and_what_has_no_room():
    clock = [NOW]
    shelf = Shelf[str](now=lambda: clock[0], most=100, lasting=timedelta(hours=1))
    first, second = shelf.put("a", size=40), shelf.put("b", size=40)
    shelf.get(first.id)  # so that the second is the one that was asked for least lately
    third = shelf.put("c", size=40)
    with pytest.raises(Unavailable) as gone:
        shelf.get(second.id)
    assert gone.value.code == "result_unknown"
    assert (shelf.get(first.id).value, shelf.get(third.id).value, shelf.size) == ("a", "c", 80)
    clock[0] += timedelta(hours=1)
    with pytest.raises(Unavailable):
        shelf.get(first.id)
    assert shelf.size == 0


def test_real_evidence_gets_the_right_answer(vectors, judge):
    folder = vectors / "dcap" / "tdx-v4-b0c06f-uptodate"
    files = [("file", (name, (folder / name).read_bytes()))
             for name in ("quote.bin", "collateral.json")]  # fmt: skip
    answer = judge(files=files, data={"at": "2025-07-01"}).json()
    assert (answer["exit_code"], answer["verdict"]["level"]) == (0, "hardware")
    assert answer["told"]["badge"] == "AUTHENTIC AND ALLOWED"
    assert answer["told"]["answers"][2]["points"]["Are the machines real?"].startswith("Yes")
    late = judge(files=files, data={"at": "2026-02-25"}).json()
    assert (late["exit_code"], late["told"]["badge"]) == (2, "NOT AUTHENTIC")


def test_clients_hand_in_more_files_at_once_than_there_is_room_for(scene):
    import httpx

    from teeproof.explorer.pages.verify import _AT_ONCE

    asked = []

    async def slow(gate):
        asked.append(gate)
        await gate.wait()
        yield b"what is this?"

    async def all_of_them():
        gate = asyncio.Event()
        transport = httpx.ASGITransport(app=scene)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            waiting = [
                asyncio.create_task(client.post("/verify.json", content=slow(gate)))
                for _ in range(_AT_ONCE)
            ]
            while len(asked) < _AT_ONCE:  # each has a place once its body is asked for
                await asyncio.sleep(0)
            late = await client.post("/verify.json", content=b"x")
            gate.set()
            return late, await asyncio.gather(*waiting)

    late, first = asyncio.run(all_of_them())
    assert (late.status_code, late.json()["error"]) == (503, "busy")
    assert {one.json()["error"] for one in first} == {"file_unknown"}


def test_clients_reload_a_result_and_its_file_is_not_read_each_time(shown, monkeypatch):
    desk = ExplorerDesk(policy=policy(), logs=None)
    app = make_app(None, command=str, desk=desk, now=lambda: NOW)
    proof = shown.book.proof(shown.sealed["answer"].id)
    read = []
    real = ProofFile.from_bytes
    judged = ask(app, "POST", "/verify", content=proof).headers["location"]
    monkeypatch.setattr(ProofFile, "from_bytes", lambda data: read.append(1) or real(data))
    one = shown.sealed["answer"].id.hex()
    for path in (judged, judged, f"{judged}.json", f"{judged}/p/{one}", f"{judged}/p/{one}"):
        assert ask(app, "GET", path).status_code == 200
    assert len(read) == 2, "once for the result, once for the statement"
    monkeypatch.setattr("teeproof.explorer.pages.verify._AT_ONCE", 0)
    assert ask(app, "GET", judged).status_code == 200
    other = shown.sealed["model"].id.hex()
    assert ask(app, "GET", f"{judged}/p/{other}").status_code == 503


@pytest.mark.parametrize(
    "record", each("snp", lambda record: len(list(record.path.glob("*.bin"))) == 1)
)
def test_a_real_reports_chip_is_named_on_no_page(scene, record):
    report = record.read("report.bin")
    chip = report[0x1A0:0x1E0].hex()
    if not int(chip, 16):  # its host masked it
        return
    files = [("file", (path.name, path.read_bytes())) for path in sorted(record.path.iterdir())
             if path.suffix in {".bin", ".der", ".pem"}]  # fmt: skip
    page = ask(scene, "POST", "/verify", files=files, data=AT)
    twin = ask(scene, "POST", "/verify.json", files=files, data=AT)
    shown = ask(scene, "GET", page.headers["location"]) if page.status_code == 303 else page
    for answer in (shown, twin):
        assert report[0x50:0x90].hex()[:32] in answer.text, "what was measured is shown"
        assert chip not in answer.text.lower()


def test_client_names_a_file_with_a_megabyte(scene):
    name = "\u202e<b>" + "N" * (1 << 20) + ".bin"
    files = [("file", (name, b"\4\0\2\0"))]
    for path in ("/verify", "/verify.json"):
        answer = ask(scene, "POST", path, files=files)
        assert answer.status_code in {200, 400, 413}
        assert len(answer.text) < 100_000
        assert "<b>N" not in answer.text
        assert "\u202e" not in answer.text


def _fork(tmp_path: Path, seed: bytes) -> str:
    """Hand in two checkpoints of one size, signed with a seed, where a log is trusted."""
    trusted = NoteSigner(ORIGIN, LOG_SEED).verifier.text()
    (tmp_path / "logs").write_text(f"log {trusted}\nquorum none\n")
    desk = ExplorerDesk(policy=None, logs=tmp_path / "logs", words=())
    app = make_app(None, command=str, desk=desk, now=lambda: NOW)
    signer = NoteSigner(ORIGIN, seed)
    one, two = (sign_checkpoint(Checkpoint(ORIGIN, 5, bytes([n]) * 32), signer) for n in (1, 2))
    files = {"file": ("fork.proof", ForkProof.of(one, two).encode())}
    sent = ask(app, "POST", "/verify", files=files)
    return ask(app, "GET", sent.headers["location"]).text if sent.is_redirect else sent.text


def test_a_log_that_forked_is_convicted_in_words_that_say_what_to_do(tmp_path):
    page = _fork(tmp_path, LOG_SEED)
    for words in ("THE LOG HAS FORKED", "two histories", "What to do next:"):
        assert words in page, words


def test_network_accuses_an_honest_log_and_convicts_nobody(tmp_path):
    page = _fork(tmp_path, bytes(32))
    for words in ("THE LOG HAS FORKED", "two histories"):
        assert words not in page, words

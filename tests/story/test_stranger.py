"""A stranger's whole path: from the printed address, by links alone, to a check elsewhere."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from teeproof.explorer.telling.times import dated
from tests.explorer.browser import opened
from tests.story.elsewhere import built, set_up
from tests.vectors import ROOT

QUESTIONS = ["Who ran this?", "When was it said?", "How strong is it?", "What was not checked?",
             "What do I do next?"]  # fmt: skip
BADGE = "SIMULATED, AND ALLOWED AS SUCH"


@dataclass(frozen=True)
class Carried:
    """What the stranger read on the trade's page, and took away from it."""

    badge: str
    sentence: str
    answers: dict[str, str]
    checks: set[tuple[str, str, str]]
    own_browser: str
    identity: str
    folder: Path
    trust: tuple[str, ...]


@pytest.fixture(scope="module")
def browser():
    with opened() as found:
        yield found


@pytest.fixture(scope="module")
def carried(told, browser, tmp_path_factory):
    """Read what was printed, open the address, follow links, and take along what they lead to."""
    folder = tmp_path_factory.mktemp("elsewhere")
    page = browser.new_page()
    page.goto(_address(told.said))
    page.get_by_role("link", name="Open the proof of it all").click()
    page.wait_for_selector("proof-check[data-answer]")
    own = page.get_attribute("proof-check", "data-answer")
    for link, name in (("Download the proof", "trade.proof"),
                       ("Keep a page that checks itself", "trade.html")):  # fmt: skip
        with page.expect_download() as waiting:
            page.get_by_role("link", name=link).click()
        waiting.value.save_as(folder / name)
    trust = []
    for option, file in _printed_trust(told.said).items():
        shutil.copy(file, folder)
        trust += [option, file.name]
    found = Carried(
        badge=page.inner_text(".badge"), sentence=page.inner_text("h1"),
        answers={block.query_selector("h2").inner_text(): block.inner_text()
                 for block in page.query_selector_all(".block")},
        checks=_checks(page), own_browser=own, identity=page.inner_text(".answer .id").split()[-1],
        folder=folder, trust=tuple(trust),
    )  # fmt: skip
    page.close()
    return found


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    wheel = built(ROOT, tmp_path_factory.mktemp("wheel"))
    return set_up(wheel, tmp_path_factory.mktemp("home"))


def _address(said):
    (line,) = [line for line in said if line.endswith("every line with what shows it")]
    return line.split()[0]


def _printed_trust(said):
    """Return the files that the first command names after --policy and --logs."""
    command = next(line for line in said if "teeproof verify" in line)
    words = shlex.split(command)
    return {words[at]: Path(words[at + 1]) for at, word in enumerate(words) if word[:2] == "--"}


def _checks(page):
    """Return state, name and detail of each check of the statement itself, as the page shows it."""
    rows = page.query_selector_all(".checks >> nth=0 >> li")
    return {
        (row.get_attribute("class"), row.query_selector(".name").inner_text(),
         row.query_selector(".detail").inner_text().strip())
        for row in rows
    }  # fmt: skip


def test_what_the_demo_prints_can_be_copied_and_says_where_to_look(told):
    assert told.said[0] == "SIMULATED machines, except lines marked REAL"
    assert _address(told.said).startswith("http://127.0.0.1:")
    assert set(_printed_trust(told.said)) == {"--policy", "--logs"}
    assert all(path.is_file() for path in _printed_trust(told.said).values())


def test_the_page_answers_five_questions_and_hides_nothing(carried):
    assert carried.badge == BADGE
    assert "SIMULATED" in carried.sentence
    assert "traded inside its mandate" in carried.sentence
    assert list(carried.answers) == QUESTIONS
    who, said, strong, unchecked, following = carried.answers.values()
    assert "simulated Intel TDX machine" in who
    assert re.search(r"No later than \d+ \w{3} \d{4}, \d\d:\d\d UTC", said)
    assert "Witnesses trusted here saw it by then." in said
    assert "No. A simulator made the evidence" in strong
    assert "Assume yes" in strong
    assert re.search(r"\d+ things", unchecked)
    assert "Treat it as a rehearsal" in following
    assert "teeproof verify" in following
    assert carried.own_browser == "simulated"


def test_elsewhere_the_terminal_says_the_same_as_the_page(carried, elsewhere):
    words = ("verify", "trade.proof", *carried.trust)
    done = elsewhere.run(*words, cwd=carried.folder)
    assert done.stderr.startswith("network: off")
    assert done.returncode == 0, done.stdout
    assert f"\n{carried.badge} · " in done.stdout
    assert "SIMULATED – made by a simulator" in done.stdout
    verdict = json.loads(elsewhere.run(*words, "--json", cwd=carried.folder).stdout)
    assert verdict["roots"] == [carried.identity]
    (own,) = [one for one in verdict["statements"] if one["id"] == carried.identity]
    assert {(c["state"], c["name"], dated(c["detail"])) for c in own["checks"]} == carried.checks
    assert len(carried.checks) > 5


def test_elsewhere_without_the_policy_the_proof_is_not_allowed(carried, elsewhere):
    done = elsewhere.run("verify", "trade.proof", *carried.trust[2:], cwd=carried.folder)
    assert done.returncode == 4, done.stdout
    assert "SIMULATED, NOT ALLOWED" in done.stdout


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_somebody_on_the_way_changes_one_byte(carried, elsewhere, part):
    data = bytearray((carried.folder / "trade.proof").read_bytes())
    data[int(len(data) * part)] ^= 1
    (carried.folder / "changed.proof").write_bytes(data)
    done = elsewhere.run("verify", "changed.proof", *carried.trust, cwd=carried.folder)
    assert done.returncode == 2, done.stdout


def _answer_of(browser, path):
    page = browser.new_page()
    page.context.set_offline(True)
    page.goto(path.as_uri())
    page.wait_for_selector("proof-check[data-answer]")
    found = page.get_attribute("proof-check", "data-answer"), page.inner_text("proof-check")
    page.close()
    return found


def test_the_page_that_was_kept_checks_itself_from_a_disk(browser, carried):
    answer, words = _answer_of(browser, carried.folder / "trade.html")
    assert answer == "simulated"
    assert int(re.search(r"(\d+) checks passed on this machine", words)[1]) > 50
    assert "failed" not in words


def test_somebody_changes_one_byte_of_the_page_that_was_kept(browser, carried):
    text = (carried.folder / "trade.html").read_text()
    head, opening, rest = text.partition('id="proof">')
    at = len(rest.partition("<")[0]) // 2
    changed = rest[:at] + ("A" if rest[at] != "A" else "B") + rest[at + 1 :]
    (carried.folder / "changed.html").write_text(head + opening + changed)
    answer, words = _answer_of(browser, carried.folder / "changed.html")
    assert answer == "failed"
    assert "NOT AUTHENTIC" in words


@pytest.mark.parametrize(
    "words",
    [
        ("show", "trade.proof"),
        ("graph", "trade.proof"),
        ("graph", "trade.proof", "--dot"),
        ("export", "--html", "trade.proof", "--out", "own.html", "--force"),
    ],
    ids=" ".join,
)
def test_elsewhere_nothing_but_the_base_install_is_needed(carried, elsewhere, words):
    assert elsewhere.packages().isdisjoint({"torch", "numpy", "starlette", "jinja2", "uvicorn"})
    done = elsewhere.run(*words, cwd=carried.folder)
    assert done.returncode == 0, done.stderr


def test_a_fresh_clone_holds_every_file_of_the_package(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    clone = tmp_path / "clone"
    tracked = ("git", "-C", str(ROOT), "checkout-index", "--all", f"--prefix={clone}/")
    subprocess.run(tracked, check=True)
    assert (clone / "scripts" / "environment").stat().st_mode & 0o111
    with zipfile.ZipFile(built(clone, tmp_path)) as wheel:
        cloned = {name for name in wheel.namelist() if name.startswith("teeproof/")}
    source = ROOT / "src"
    here = {
        path.relative_to(source).as_posix() for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }  # fmt: skip
    assert here - cloned == set(), "these are not in git: git add them"
    assert cloned - here == set()

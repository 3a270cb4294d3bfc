"""Files dropped by mouse on the page that takes them, and on a page that was saved.

The drops are the browser's own, trusted events with files of this machine, as a mouse makes them:
the DevTools protocol moves the mouse with files in its hand.
"""

from __future__ import annotations

import json

import pytest

from teeproof.cli.explorer_desk import ExplorerDesk
from teeproof.explorer.app import make_app
from teeproof.explorer.checker import page as saved_page
from teeproof.proof.workload import Identity
from tests.evidence import scenes
from tests.explorer.browser import PATIENCE, opened, served
from tests.explorer.checking import of, rewritten
from tests.proof.people import NOW, attester, policy
from tests.vectors import MISSING, records

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is missing: pip install")


AT = NOW.isoformat()


@pytest.fixture(scope="module")
def browser():
    with opened() as found:
        yield found


def drop(page, selector, *paths):
    """Drop files on an element, by mouse."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **at, "data": data})
    session.detach()


def taken(page, count):
    """Wait until the field for files has as many as were dropped on it."""
    field = playwright.expect(page.locator("#file"))
    field.to_have_js_property("files.length", count, timeout=1000 * PATIENCE)


def quote_record():
    found = [r for r in records("dcap") if r.id == "tdx-v4-b0c06f-uptodate"]
    if not found:
        pytest.skip(MISSING)
    return found[0]


def real_files(folder):
    """A real quote of Intel's with its endorsements, as somebody would hand them in."""
    record = quote_record()
    quote = next(p for p in record.path.iterdir() if "quote" in p.name)
    (folder / "quote.bin").write_bytes(quote.read_bytes())
    collateral = next(p for p in record.path.iterdir() if "collateral" in p.name)
    (folder / "collateral.json").write_bytes(collateral.read_bytes())
    return folder / "quote.bin", folder / "collateral.json", record


@pytest.fixture(scope="module")
def site():
    desk = ExplorerDesk(policy=policy(), logs=None, words=("--policy", "mine.toml"))
    with served(make_app(None, command=str, desk=desk, now=lambda: NOW)) as url:
        yield url


def handed_in(browser, site, *paths, at="", expect="own"):
    page = browser.new_page()
    page.goto(f"{site}/verify")
    drop(page, "#file", *paths)
    taken(page, len(paths))
    page.select_option("#policy", expect)
    page.fill("#at", at)
    page.get_by_role("button", name="Check").click()
    page.wait_for_url("**/v/*")
    said = page.inner_text("main")
    page.close()
    return said


def test_a_real_quote_dropped_on_the_page_is_found_to_be_intels(browser, site, tmp_path):
    quote, collateral, record = real_files(tmp_path)
    said = handed_in(browser, site, quote, collateral, at=record.now.isoformat(), expect="")
    assert "SIMULATED" not in said
    assert "AUTHENTIC" in said
    assert "NOT AUTHENTIC" not in said


def test_host_drops_a_quote_with_a_changed_bit(browser, site, tmp_path):
    quote, collateral, record = real_files(tmp_path)
    raw = bytearray(quote.read_bytes())
    raw[200] ^= 1
    quote.write_bytes(raw)
    said = handed_in(browser, site, quote, collateral, at=record.now.isoformat(), expect="")
    assert "NOT AUTHENTIC" in said


def change_a_signature(members):
    name = of(members, "statements/")[0]
    at = members[name].index(b'"sig":"') + 10
    other = b"A" if members[name][at : at + 1] != b"A" else b"B"
    members[name] = members[name][:at] + other + members[name][at + 1 :]


def proof_files(folder):
    """A proof in order, and one with a changed signature."""
    good, bad = folder / "answer.proof", folder / "changed.proof"
    identity = Identity.boot(attester(), now=lambda: NOW)
    identity.seal("answer", outputs={"answer.txt": b"42"}).save(good)
    bad.write_bytes(rewritten(good.read_bytes(), change_a_signature))
    return good, bad


def test_a_proof_dropped_on_the_page_holds_and_a_changed_one_does_not(browser, site, tmp_path):
    good, bad = proof_files(tmp_path)
    assert "SIMULATED" in handed_in(browser, site, good, at=AT)
    assert "NOT AUTHENTIC" in handed_in(browser, site, bad, at=AT)


def test_network_damages_a_proof_that_is_dropped_on_the_page(browser, site, tmp_path):
    good, bad = proof_files(tmp_path)
    raw = bytearray(good.read_bytes())
    raw[raw.index(b"statements/") + 200] ^= 1
    bad.write_bytes(raw)
    page = browser.new_page()
    page.goto(f"{site}/verify")
    drop(page, "#file", bad)
    taken(page, 1)
    page.get_by_role("button", name="Check").click()
    page.get_by_text("is damaged: get the file again").wait_for()
    page.close()


@pytest.fixture
def kept(browser, tmp_path):
    """A saved page, opened from disk with the network off, at the time of its statements."""
    good, bad = proof_files(tmp_path)
    text = saved_page(
        good.read_bytes(), name="answer.proof", title="Proof", roots=tuple(policy().simulated_roots)
    )
    (tmp_path / "kept.html").write_text(text)
    page = browser.new_page()
    page.clock.set_fixed_time(NOW)
    page.context.set_offline(True)
    page.goto((tmp_path / "kept.html").as_uri())
    page.wait_for_selector("proof-check[data-answer=simulated]")
    yield page, good, bad
    page.close()


def dropped(page, where, *paths):
    drop(page, where, *paths)
    page.wait_for_selector("proof-drop .name")
    place = page.locator("proof-drop [data-answer]")
    found = place.get_attribute("data-answer"), place.inner_text()
    page.evaluate("document.querySelector('proof-drop .name').remove()")
    return found


def test_a_saved_page_checks_what_is_dropped_on_it(kept, tmp_path):
    page, good, bad = kept
    answer, said = dropped(page, "proof-drop", good)
    assert answer == "simulated"
    assert "answer.proof" in said
    answer, said = dropped(page, "proof-drop", bad)
    assert (answer, "NOT AUTHENTIC" in said) == ("failed", True)
    # beside the field: it is checked, and not opened in the page's place
    answer, _ = dropped(page, "h1", good)
    assert answer == "simulated"
    assert page.url.endswith("kept.html")


def test_a_saved_page_checks_a_real_quote_and_not_its_twin(kept, tmp_path):
    page = kept[0]
    quote, _, record = real_files(tmp_path)
    page.clock.set_fixed_time(record.now)
    answer, said = dropped(page, "proof-drop", quote)
    assert answer == "passed"
    assert "Intel's root, which is built in here" in page.text_content("proof-drop")
    raw = bytearray(quote.read_bytes())
    raw[600] ^= 1
    quote.write_bytes(raw)
    answer, said = dropped(page, "proof-drop", quote)
    assert (answer, "NOT AUTHENTIC" in said) == ("failed", True)


def test_a_saved_page_says_of_other_files_what_it_cannot_do(kept, tmp_path):
    page, good, _ = kept
    (tmp_path / "note.txt").write_text("hello")
    answer, said = dropped(page, "proof-drop", tmp_path / "note.txt")
    assert answer == "failed"
    assert "neither a proof file nor evidence" in said
    made = scenes.evidence()
    (tmp_path / "collateral.json").write_text(json.dumps(made.collateral.to_json()))
    answer, said = dropped(page, "proof-drop", good, tmp_path / "collateral.json")
    assert answer == "not_checked"
    assert "one file at a time" in said


def test_a_file_that_is_chosen_is_checked_as_one_that_is_dropped(kept):
    page, good, bad = kept
    page.set_input_files("proof-drop input", str(bad))
    page.wait_for_selector("proof-drop [data-answer=failed]")
    page.set_input_files("proof-drop input", str(good))
    page.wait_for_selector("proof-drop [data-answer=simulated]")


SLOW = """() => {
  const read = File.prototype.arrayBuffer, prepend = Element.prototype.prepend;
  const { dataset } = document.documentElement;
  let told = 0;
  File.prototype.arrayBuffer = function () {
    if (this.name !== "answer.proof" || window.go) return read.call(this);
    dataset.slow = "yes";
    return new Promise((go) => { window.go = go; }).then(() => read.call(this));
  };
  Element.prototype.prepend = function (...what) {
    prepend.apply(this, what);
    told += 1;
    dataset.told = told;
  };
}"""


def test_stranger_sends_a_slow_file_that_holds_before_one_that_does_not(kept):
    """What stands there is of the file that was chosen last, whichever is checked first."""
    page, good, bad = kept
    page.evaluate(SLOW)
    page.set_input_files("proof-drop input", str(good))
    page.wait_for_selector("html[data-slow]", state="attached")
    page.set_input_files("proof-drop input", str(bad))
    page.wait_for_selector("proof-drop [data-answer=failed]")
    page.evaluate("window.go()")
    page.wait_for_selector("html[data-told='2']", state="attached")
    places = page.locator("proof-drop [data-answer]")
    assert [one.get_attribute("data-answer") for one in places.all()] == ["failed"]
    assert page.locator("proof-drop .name").all_inner_texts() == [bad.name]

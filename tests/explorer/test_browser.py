"""In a real browser: pages load cleanly, are accessible, and judge what is dropped on them."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.explorer.bazaar import busy_bazaar
from tests.explorer.browser import AXE, PATIENCE, SCHEMES, SIZES, leaving, opened, served

GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def browser():
    with opened() as found:
        yield found


@pytest.fixture(scope="module")
def site(shown):
    with served(shown.app) as url:
        yield url


@pytest.fixture
def client(site):
    """Asks over HTTP: Playwright's own loop runs in this thread."""
    with httpx.Client(base_url=site, timeout=PATIENCE) as found:
        yield found


@pytest.fixture
def paths(shown, client):
    """Every page, also of results: of evidence and of a proof."""
    from tests.explorer.test_verify_page import AT, evidence_files

    one = shown.sealed["answer"].id.hex()
    hostile, long = (shown.sealed[name].id.hex() for name in ("hostile", "long"))
    evidence = client.post("/verify", files=evidence_files(), data=AT).headers["location"]
    data = client.get(f"/p/{one}.proof").content
    proof = client.post("/verify", files={"file": ("a.proof", data)})
    author = shown.sealed["answer"].statement.author.hex()
    code = client.get(f"/identity/{author}.json").json()["beside"]["same_code"]["value"]
    return [
        "/", "/here", "/verify", "/log", "/words", "/cost", "/cost?model=llama-3.1-8b&on=h200-tdx",
        "/report", f"/p/{one}", f"/p/{hostile}", f"/p/{long}", f"/graph/{one}",
        f"/graph/{one}?find=part", f"/graph/{one}?kind=contribute",
        f"/identity/{author}", f"/code/{code}", "/search?q=contribute", "/nowhere",
        evidence, proof.headers["location"],
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_page_loads_without_a_complaint_and_fits(browser, site, paths, size, scheme):
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{page.url} {message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    for path in paths:
        page.goto(site + path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{path} is {wide} wide"
        if AXE.is_file() and (scheme == "light") == (width < 1000):  # each scheme, each size
            assert _issues(page) == [], path
    context.close()
    assert [line for line in said if "/nowhere" not in line] == []


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_first_screen_answers_who_how_strong_what_not_and_what_next(browser, site, paths, size):
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    answered = 0
    for path in paths:
        page.goto(site + path)
        if not path.startswith(("/p/", "/v/", "/identity/")):
            continue
        answered += 1
        first = "What runs there?" if path.startswith("/identity/") else "Who ran this?"
        for question in (first, "Are the machines real?", "Could their operator read it?",
                         "What was not checked?", "What do I do next?"):  # fmt: skip
            asked = page.get_by_text(question, exact=True).locator("visible=true").first
            given = asked.locator("xpath=following::*[self::dd or @class='short'][1]")
            box = given.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= height, (path, question)
            assert given.inner_text().strip()
    context.close()
    assert answered == 6


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_pages_of_a_market_load_without_a_complaint_and_fit(browser, bazaar, size, scheme):
    width, height = size
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{page.url} {message.type}: {message.text}"))
    with served(bazaar.app()) as url:
        for path in ("/here", *(f"/node/{bazaar.id(name)}" for name in bazaar.nodes)):
            page.goto(url + path)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} is {wide} wide"
            if AXE.is_file():
                assert _issues(page) == [], path
    page.close()
    assert said == []


@pytest.fixture(scope="module")
def bazaar(tmp_path_factory):
    return busy_bazaar(tmp_path_factory.mktemp("bazaar"))


def _issues(page) -> list[str]:
    page.evaluate(AXE.read_text())  # as a browser's own tools do; the page's policy stays in force
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{issue['id']}: {issue['nodes'][0]['html'][:200]}"
        for issue in found["violations"] if issue["impact"] in GRAVE
    ]  # fmt: skip


def test_axe_core_is_here():
    if not AXE.is_file():
        pytest.skip("axe-core is missing: scripts/environment dev installs it with npm")
    package = json.loads((AXE.parent / "package.json").read_text())
    assert (package["name"], package["license"]) == ("axe-core", "MPL-2.0")


def test_real_evidence_that_is_dropped_on_the_page_is_told_as_real(browser, site, vectors):
    folder = vectors / "dcap" / "tdx-v4-b0c06f-uptodate"
    page = browser.new_page()
    page.goto(f"{site}/verify")
    page.get_by_label("Files that belong together").set_input_files(
        [folder / "quote.bin", folder / "collateral.json"]
    )
    page.get_by_label("As of when").fill("2025-07-01")
    page.get_by_role("button", name="Check").click()
    page.wait_for_url("**/v/*")
    assert "AUTHENTIC AND ALLOWED" in page.inner_text("main")
    assert "Yes: a vendor's root key vouches for the hardware." in page.inner_text("main")
    page.close()


def test_a_proof_that_was_tampered_with_is_told_as_such_by_keyboard_alone(
    browser, site, shown, client, tmp_path
):
    data = bytearray(client.get(f"/p/{shown.sealed['answer'].id.hex()}.proof").content)
    at = data.index(b'"sig":"') + 12
    data[at] = ord("A") if data[at] != ord("A") else ord("B")
    data = _with_sums(bytes(data))
    (tmp_path / "bad.proof").write_bytes(data)
    page = browser.new_page()
    page.goto(f"{site}/verify")
    page.get_by_label("Files that belong together").set_input_files(tmp_path / "bad.proof")
    page.get_by_role("button", name="Check").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/v/*")
    assert "NOT AUTHENTIC" in page.inner_text("main")
    assert "Do not rely on" in page.inner_text("main")
    page.close()


def _with_sums(data: bytes) -> bytes:
    """Return a ZIP whose checksums are those of its members, as whoever changes one makes them."""
    import io
    import struct
    import zipfile
    import zlib

    out = bytearray(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
    central = struct.unpack_from("<I", data, len(data) - 6)[0]
    for entry in entries:
        name, extra = struct.unpack_from("<HH", out, entry.header_offset + 26)
        begin = entry.header_offset + 30 + name + extra
        crc = zlib.crc32(out[begin : begin + entry.compress_size])
        struct.pack_into("<I", out, entry.header_offset + 14, crc)
        struct.pack_into("<I", out, central + 16, crc)
        lengths = struct.unpack_from("<HHH", out, central + 28)
        central += 46 + sum(lengths)
    return bytes(out)


def test_without_scripts_everything_works(browser, site, shown):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site)
    page.get_by_role("searchbox").fill(shown.sealed["answer"].id.hex()[:12])
    with leaving(page):
        page.get_by_role("button", name="Search").click()
    assert page.url.endswith(f"/p/{shown.sealed['answer'].id.hex()}")
    with leaving(page):
        page.get_by_role("link", name="See what it was made of").click()
    assert "/graph/" in page.url
    context.close()


def test_author_writes_a_script_and_the_browser_runs_none(browser, site, shown):
    page = browser.new_page()
    ran: list[str] = []
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    hostile = shown.sealed["hostile"].id.hex()
    for path in (f"/p/{hostile}", f"/graph/{hostile}", f"/g/{hostile}.svg", "/"):
        page.goto(site + path)
    page.close()
    assert ran == []


def test_the_way_past_the_menu_and_the_focus_are_seen(browser, site):
    page = browser.new_page()
    page.goto(f"{site}/words")
    page.keyboard.press("Tab")
    box = page.locator(".skip").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.close()

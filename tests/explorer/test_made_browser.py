"""In a real browser: the pages of models, answers and pools load cleanly and are accessible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.explorer.browser import AXE, SCHEMES, SIZES, leaving, opened, served
from tests.explorer.made import REQUEST, STREAM, Scene, app_of, false_withdrawal, forged
from tests.explorer.test_browser import _issues


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened() as found:
        yield found


@pytest.fixture(scope="module")
def bad(made: Scene) -> bytes:
    return forged(made.answers["plain"])


@pytest.fixture(scope="module")
def site(made: Scene, bad: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Everything that is true, a receipt that was changed, and a false withdrawal."""
    false = made.server.sign(false_withdrawal(made, 1)).encode()
    directory = tmp_path_factory.mktemp("browsed") / "log"
    made.log(directory, lambda c: c.add_statement(bad), lambda c: c.add_statement(false))
    with served(app_of(directory)[0]) as url:
        yield url


@pytest.fixture
def paths(made: Scene, bad: bytes) -> list[str]:
    from teeproof.proof.receipt import Receipt

    answers = [*made.answers.values(), Receipt.parse(bad)]
    return [
        *(f"/model/{made.model(name)}" for name in made.trained),
        *(f"/answer/{one.id.hex()}" for one in answers),
        f"/pool/{made.pool}", "/here", f"/search?q={made.model('whole')}",
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_page_loads_without_a_complaint_and_fits(browser, site, paths, size, scheme) -> None:
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{page.url} {message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    for path in paths:
        page.goto(site + path)
        for summary in page.locator("details > summary").all():
            summary.click()
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{path} is {wide} wide"
        if AXE.is_file():
            assert _issues(page) == [], path
    context.close()
    assert said == []


@pytest.mark.parametrize("script", [False, True])
def test_a_visitor_pastes_what_came_and_is_told_whether_it_was_signed(
    browser, site, made: Scene, script: bool
) -> None:
    context = browser.new_context(java_script_enabled=script)
    page = context.new_page()
    page.goto(f"{site}/answer/{made.answers['stream'].id.hex()}")
    page.get_by_label("The answer, as it came back").fill(STREAM.decode())
    page.get_by_label("The request, as its client sent it").fill(REQUEST.decode()[:-1])
    with leaving(page):
        page.get_by_role("button", name="Compare").click()
    told = page.locator("section", has=page.get_by_role("heading", name="The bytes that you gave"))
    assert "✓ This is the response that was signed." in told.inner_text()
    assert "✗ This is not the request that was signed." in told.inner_text()
    context.close()


def test_a_visitor_gives_files_by_keyboard(browser, site, made: Scene, tmp_path: Any) -> None:
    (tmp_path / "answer").write_bytes(STREAM)
    page = browser.new_page()
    page.goto(f"{site}/answer/{made.answers['stream'].id.hex()}")
    page.locator("#response_file").set_input_files(tmp_path / "answer")
    page.get_by_role("button", name="Compare").focus()
    page.keyboard.press("Enter")
    page.get_by_text("✓ This is the response that was signed.").wait_for()
    page.close()

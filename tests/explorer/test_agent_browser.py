"""In a real browser: the pages of agents and of the chain load cleanly, fit and are accessible."""

from __future__ import annotations

import pytest

from tests.agents.conftest import chain_process, shared  # noqa: F401  fixtures
from tests.agents.powers.conftest import Launched, launched  # noqa: F401  a fixture
from tests.explorer.acting import acting, app, hostile
from tests.explorer.browser import AXE, SCHEMES, SIZES, served
from tests.explorer.test_browser import _issues, browser  # noqa: F401  a fixture

pytest.importorskip("playwright.sync_api", reason="Playwright is missing: pip install")


@pytest.fixture(scope="module")
def sites(launched: Launched, tmp_path_factory: pytest.TempPathFactory):  # noqa: F811
    """An agent on its chain, the same without a node, and a hostile log: pages of each."""
    folder = tmp_path_factory.mktemp("acting")
    here = acting(launched, folder / "log")
    book, name = hostile(folder / "hostile")
    effect = launched.acted.turns[0].action.ending.effect
    assert effect is not None
    with served(here.app) as one, served(here.alone) as two, served(app(book, None)) as three:
        yield [
            f"{one}/agent/{here.agent}", f"{one}/chain", f"{one}/chain/tx/{effect.tx}",
            f"{one}/here", f"{two}/agent/{here.agent}", f"{two}/chain",
            f"{two}/chain/tx/{effect.tx}", f"{three}/agent/{name}", f"{three}/chain",
        ]  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_pages_load_without_a_complaint_and_fit(browser, sites, size, scheme):  # noqa: F811
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{page.url} {message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    for url in sites:
        page.goto(url)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{url} is {wide} wide"
        if AXE.is_file() and (scheme == "light") == (width < 1000):  # each scheme, each size
            assert _issues(page) == [], url
    context.close()
    assert said == []


def test_an_investor_sees_who_can_drain_it_without_scrolling(browser, sites):  # noqa: F811
    for width, height in SIZES:
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(sites[0])
        answer = page.get_by_text("Who can drain its money?")
        box = answer.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < height
        row = page.get_by_role("rowheader", name="drain its money").bounding_box()
        assert row is not None
        assert row["y"] < height
        page.close()

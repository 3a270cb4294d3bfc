"""Who reads otherwise: by keyboard alone, magnified, printed, without motion, in own colours."""

from __future__ import annotations

from itertools import pairwise

import pytest

import tests.explorer.test_browser as pages
from tests.explorer.browser import SCHEMES

browser, site, client, paths = pages.browser, pages.site, pages.client, pages.paths

MOST_STOPS = 400  # of the keyboard on one page

# What the keyboard has reached: nothing once it left the page, else where, and how one sees it.
REACHED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body || one === document.documentElement) return null;
  const all = [...document.querySelectorAll('*')];
  const shape = (one.matches('svg a') && one.querySelector('.box')) || one;
  const style = getComputedStyle(shape);
  const box = one.getBoundingClientRect();
  return {
    at: all.indexOf(one), tag: one.tagName.toLowerCase(), href: one.getAttribute('href') ?? '',
    name: (one.getAttribute('aria-label') || one.textContent || one.id || '').trim(),
    outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    stroke: parseFloat(style.strokeWidth) >= 4 && shape !== one,
    seen: box.width > 0 && box.height > 0 && box.right > 0,
  };
}"""

# What has more in it than is shown.
CUT_OFF = """() => [...document.querySelectorAll('pre, .drawing')].filter(
    one => one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1
).map(one => one.className)"""


def stops(page):
    """Return what the keyboard reaches, from the top of the page to its end."""
    page.evaluate("document.body.focus()")
    found = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        reached = page.evaluate(REACHED)
        if reached is None or (found and reached["at"] == found[0]["at"]):
            return found
        found.append(reached)
    raise AssertionError(f"the keyboard does not come to an end on {page.url}")


def test_the_keyboard_reaches_everything_in_reading_order_and_one_sees_where_it_is(
    browser, site, paths
):
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    for path in paths:
        page.goto(site + path)
        found = stops(page)
        assert (found[0]["tag"], found[0]["href"]) == ("a", "#main"), path
        assert [one["at"] for one in found] == sorted(one["at"] for one in found), path
        for one in found:
            assert one["seen"], (path, one)
            assert one["outline"] or one["stroke"], (path, one)
            assert one["name"], (path, one)
        reachable = page.locator("main a[href], main button, main input, main select").count()
        assert len([one for one in found if one["tag"] != "summary"]) >= min(reachable, 10), path
    page.close()


def test_each_box_of_a_drawing_is_a_link_that_the_keyboard_follows(browser, site, shown):
    page = browser.new_page()
    page.goto(f"{site}/graph/{shown.sealed['answer'].id.hex()}")
    boxes = [one for one in stops(page) if one["stroke"]]
    assert len(boxes) == page.locator("svg a").count() == 5
    page.locator("svg a").nth(1).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{boxes[1]['href']}")
    page.close()


def test_headings_lead_through_each_page_without_a_gap(browser, site, paths):
    page = browser.new_page()
    titles = {}
    for path in paths:
        page.goto(site + path)
        levels = page.evaluate(
            "[...document.querySelectorAll('h1,h2,h3,h4')].map(one => Number(one.tagName[1]))"
        )
        assert levels[0] == 1, path
        assert levels.count(1) == 1, path
        assert all(b <= a + 1 for a, b in pairwise(levels)), (path, levels)
        titles.setdefault(page.title(), path.partition("?")[0])
        assert page.evaluate("document.documentElement.lang") == "en"
    assert len(titles) >= len({path.partition("?")[0] for path in paths}) - 2
    page.close()


@pytest.mark.parametrize(
    ("width", "height", "letters"),
    [(700, 450, 100), (320, 256, 100), (1400, 900, 200), (380, 800, 200)],
    ids=["zoomed to 200 %", "zoomed to 400 %", "letters twice as large", "both on a phone"],
)
def test_magnified_a_page_still_fits_and_nothing_is_cut_off(
    browser, site, paths, width, height, letters
):
    page = browser.new_page(viewport={"width": width, "height": height})
    for path in paths:
        page.goto(site + path)
        page.evaluate(f"document.documentElement.style.fontSize = '{letters}%'")
        assert (
            page.evaluate("getComputedStyle(document.body).fontSize") == f"{16 * letters // 100}px"
        )
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{path} is {wide} wide"
    page.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_printed_a_page_is_light_whole_and_without_what_cannot_be_pressed(
    browser, site, shown, scheme
):
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.emulate_media(media="print", color_scheme=scheme)
    page.goto(f"{site}/p/{shown.sealed['answer'].id.hex()}")
    page.wait_for_selector("proof-check[data-answer]")
    assert _paint(page, "body", "backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("nav").is_hidden()
    assert page.locator(".badge").is_visible()
    assert page.locator("main details .checks li").first.is_visible()  # also of what was closed
    assert page.evaluate(CUT_OFF) == []
    assert page.pdf()[:5] == b"%PDF-"
    context.close()


def test_nothing_moves_by_itself(browser, site, paths):
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    for path in paths:
        page.goto(site + path)
        assert page.evaluate("document.getAnimations().length") == 0, path
        assert page.locator("marquee, blink, video, audio, animate").count() == 0
        assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    context.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_in_the_readers_own_colours_states_are_words_and_boxes_are_seen(
    browser, site, shown, scheme
):
    context = browser.new_context(forced_colors="active", color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{site}/p/{shown.sealed['answer'].id.hex()}")
    canvas = _paint(page, "body", "backgroundColor")
    ink = _paint(page, "body", "color")
    assert canvas != ink
    for place in (".checks .passed .state", ".badge", ".block .short"):
        assert _paint(page, place, "color") == ink  # colour tells nothing here,
    assert page.locator(".checks .passed .state").first.inner_text() == "✓ passed"  # words do
    assert _paint(page, "svg .box", "fill") == canvas
    assert _paint(page, "svg .box", "stroke") != canvas
    assert _paint(page, "svg text", "fill") == ink
    assert _paint(page, ".answer", "borderLeftColor") == ink
    context.close()


def test_every_page_works_without_a_script(browser, site, paths):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for path in paths:
        page.goto(site + path)
        assert page.locator("main h1").inner_text().strip(), path
        assert page.locator("footer .command").inner_text().strip(), path
        assert page.locator("noscript").count() == 0
    context.close()


def _paint(page, place, property_):
    reading = "(one, name) => getComputedStyle(one)[name]"
    return page.locator(place).first.evaluate(reading, property_)


# Links of a page by what is read aloud of them, and where those of one name lead.
NAMED_ALIKE = """() => {
  const found = {};
  for (const one of document.querySelectorAll('main a[href]')) {
    const name = (one.getAttribute('aria-label') || one.textContent).replace(/\\s+/g, ' ').trim();
    (found[name] ??= new Set()).add(one.getAttribute('href').replace('/graph/', '/p/'));
  }
  return Object.entries(found).filter(([, to]) => to.size > 1).map(([name]) => name);
}"""


# Of each table: its caption, how many columns have a name, its rows, and those that have one.
TABLES = """() => [...document.querySelectorAll('main table')].map(one => [
  one.caption?.textContent ?? '', one.querySelectorAll('thead th[scope=col]').length,
  one.querySelectorAll('tbody tr').length, one.querySelectorAll('tbody tr > th[scope=row]').length,
])"""


def test_what_is_read_aloud_of_a_link_leads_to_one_place(browser, site, paths):
    page = browser.new_page()
    for path in paths:
        page.goto(site + path)
        assert page.evaluate(NAMED_ALIKE) == [], path
    page.close()


def test_each_table_says_what_it_is_and_each_row_begins_with_its_name(browser, site, paths):
    page = browser.new_page()
    seen = 0
    for path in paths:
        page.goto(site + path)
        tables = page.evaluate(TABLES)
        seen += len(tables)
        for caption, columns, rows, named in tables:
            assert caption.strip(), path
            assert columns >= 2, (path, caption)
            assert rows == named, (path, caption)
    assert seen
    page.close()


def test_on_paper_a_statements_page_has_its_whole_id_and_no_more_than_a_few_sheets(
    browser, site, shown
):
    page = browser.new_page(viewport={"width": 680, "height": 960})  # A4 less its margins
    page.emulate_media(media="print")
    page.goto(f"{site}/p/{shown.sealed['answer'].id.hex()}")
    page.wait_for_selector("proof-check[data-answer]")
    assert page.evaluate(
        "(() => { const one = document.querySelector('.answer .id');"
        " return one.scrollWidth <= one.clientWidth; })()"
    )
    assert page.locator(".actions").is_hidden()
    assert page.locator("proof-check .outcome").is_visible()
    sheets = page.evaluate("document.documentElement.scrollHeight") / 960
    assert sheets < 12, sheets
    page.close()


def test_of_the_check_in_the_browser_the_outcome_is_read_aloud_and_not_each_line(
    browser, site, shown
):
    page = browser.new_page()
    page.goto(f"{site}/p/{shown.sealed['answer'].id.hex()}")
    page.wait_for_selector("proof-check[data-answer]")
    read = "document.querySelector('{}')?.closest('[aria-live]')?.getAttribute('aria-live')"
    assert page.evaluate(read.format("proof-check .outcome")) == "polite"
    assert page.evaluate(read.format("proof-check details li")) == "off"
    page.close()

"""The story's parts on a page: states, needs, starting one, with a script and without."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from teeproof.core.errors import Usage
from teeproof.explorer.console.stage import NAMES, Part
from tests.explorer.browser import AXE, PATIENCE, SCHEMES, SIZES, opened, served
from tests.explorer.console.scenes import TOKEN, Person, app_of

LINE = {"label": "2 Data", "text": "<b>3</b> files", "ids": ["sha256:" + "ab" * 32], "real": False}


class Stage:
    """Parts whose state a test sets; what the console asks of it, it writes down."""

    def __init__(self) -> None:
        self.started: list[tuple[str, bool]] = []
        self.now = {
            name: Part(name=name, label=f"{at} {name.title()}", about="What it does.",
                       needs=NAMES[:at - 1], state="waiting")
            for at, name in enumerate(NAMES, 1)
        }  # fmt: skip

    def set(self, name, **changes):
        self.now[name] = replace(self.now[name], **changes)

    def parts(self):
        return list(self.now.values())

    def start(self, name, *, through=False):
        if self.now[name].state == "running":
            raise Usage("it runs already", code="part_running")
        self.started.append((name, through))
        self.set(name, state="running", progress=0.0, saying="beginning")


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def person(stage):
    one = Person(app_of(stage=stage))
    one.enter()
    return one


def test_each_part_says_its_state_and_what_it_told(person, stage):
    stage.set("network", state="done", lines=(LINE,))
    stage.set("data", state="running", progress=0.42, saying="file 2 of 3")
    stage.set("train", state="failed", problem="the trainer ended: see <its> log")
    page = person.get("/console/parts").text
    assert "&lt;b&gt;3&lt;/b&gt; files" in page
    assert f"/p/{'ab' * 32}" in page
    assert 'value="42"' in page
    assert "see &lt;its&gt; log" in page
    assert '<noscript><meta http-equiv="refresh"' in page  # as long as something moves
    twin = person.get("/console/parts.json").json()["parts"]
    assert [one["state"] for one in twin][:4] == ["done", "running", "failed", "waiting"]


def test_nothing_reloads_while_nothing_moves(person):
    assert "http-equiv" not in person.get("/console/parts").text


def test_a_part_is_started_alone_or_with_what_it_needs(person, stage):
    secret = person.secret("/console/parts")
    for name, more, told in (
        ("network", {}, ("network", False)), ("answer", {"through": "yes"}, ("answer", True)),
    ):  # fmt: skip
        answer = person.post(f"/console/parts/{name}", {"form": secret} | more)
        assert (answer.status_code, stage.started[-1]) == (303, told)
    again = person.post("/console/parts/network", {"form": secret})
    assert (again.status_code, "part_running" in again.text) == (400, True)
    unknown = person.post("/console/parts/none", {"form": secret})
    assert (unknown.status_code, "part_unknown" in unknown.text) == (400, True)
    assert len(stage.started) == 2


def test_other_site_starts_nothing(person, stage):
    data = {"form": person.secret("/console/parts")}
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert person.post("/console/parts/network", data, headers=headers).status_code == 403
    assert person.post("/console/parts/network", {"form": ""}).status_code == 403
    assert stage.started == []


@pytest.fixture(scope="module")
def driver():
    with opened() as found:
        yield found


def test_the_page_follows_by_itself(driver, stage):
    with served(app_of(stage=stage)) as url:
        page = driver.new_page()
        page.goto(f"{url}/console?token={TOKEN}")
        page.get_by_role("link", name="Run the story").click()
        page.locator("form[action='/console/parts/network'] button").click()
        page.get_by_text("… running").wait_for()
        stage.set("network", state="done", progress=None, saying="", lines=(LINE,))
        page.get_by_text("<b>3</b> files").wait_for()  # nobody has reloaded it
        page.close()


class Late:
    """Serves what the application does; the first list that a script asks for comes late."""

    def __init__(self, app):
        self._app, self.asked, self.go = app, threading.Event(), threading.Event()

    async def __call__(self, scope, receive, send):
        said = []

        async def keep(message):
            said.append(message)

        of_a_script = (b"sec-fetch-dest", b"empty") in scope["headers"]
        if scope["path"] != "/console/parts" or not of_a_script or self.asked.is_set():
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, keep)
        self.asked.set()
        await asyncio.to_thread(self.go.wait, PATIENCE)
        for message in said:
            await send(message)


def test_network_brings_an_older_list_after_a_newer_one_and_the_newer_one_stays(driver, stage):
    stage.set("network", state="running")
    with served(late := Late(app_of(stage=stage))) as url:
        page = driver.new_page()
        page.goto(f"{url}/console?token={TOKEN}")
        page.goto(f"{url}/console/parts")
        assert late.asked.wait(PATIENCE)
        stage.set("network", state="done", lines=(LINE,))
        page.get_by_text("<b>3</b> files").wait_for()
        with page.expect_event("requestfinished", lambda one: one.url.endswith("/console/parts")):
            late.go.set()
        assert page.get_by_text("<b>3</b> files").is_visible()
        page.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_parts_fit_and_are_accessible(driver, stage, size, scheme):
    stage.set("network", state="done", lines=(LINE,))
    stage.set("data", state="running", progress=0.42, saying="file 2 of 3")
    stage.set("train", state="failed", problem="x" * 300)
    width, height = size
    with served(app_of(stage=stage)) as url:
        context = driver.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        page = context.new_page()
        page.goto(f"{url}/console?token={TOKEN}")
        page.goto(f"{url}/console/parts")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if AXE.is_file():
            page.evaluate(AXE.read_text())
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            assert [one["id"] for one in found["violations"]
                    if one["impact"] in ("serious", "critical")] == []  # fmt: skip
        context.close()

"""The console of the demo that stays up: a person gives data, sees what it earns, takes it back."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import time
from contextlib import closing, suppress

import httpx
import pytest

from teeproof.cli import demo_orders
from teeproof.cli.console.opening import open_console
from teeproof.cli.joining import join
from teeproof.data.samples import file_of, sample_orders
from teeproof.explorer.app import make_app
from teeproof.explorer.log.content import Book
from teeproof.proof.verify import Trust
from tests.explorer.browser import AXE, PATIENCE, SCHEMES, SIZES, leaving, opened, served

NOBODY = 65_534
ORDERS = file_of(sample_orders(40, seed=20_261))
DROP = """([text, name]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    const event = new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true});
    document.getElementById("drop").dispatchEvent(event);
  }
}"""


@pytest.fixture(scope="module")
def address(told):
    """What the demo wrote for its owner's eyes, once it stays up."""
    place = told.folder / "console.address"
    limit = time.monotonic() + PATIENCE
    while not place.exists() and time.monotonic() < limit:
        time.sleep(0.1)
    assert place.stat().st_mode & 0o777 == 0o600
    return place.read_text().strip()


@pytest.fixture(scope="module")
def driver():
    with opened() as found:
        yield found


@pytest.fixture
def page(driver, address):
    context = driver.new_context()
    page = context.new_page()
    page.goto(address)
    assert page.url.endswith("/console")  # the token has left the address
    yield page
    context.close()


@pytest.fixture
def program(address):
    """The same over HTTP, for what no browser would send."""
    url = address.partition("/console")[0]
    with httpx.Client(base_url=url, headers={"origin": url, "sec-fetch-site": "same-origin"},
                      timeout=PATIENCE) as client:  # fmt: skip
        client.get(address.removeprefix(url))
        yield client


def secret(program):
    found = re.search(r'name="form" value="([^"]+)"', program.get("/console").text)
    assert found is not None
    return found[1]


def given(program):
    return program.get("/console/index.json").json()["contributions"]


def arrived(told):
    place = join(told.folder).url("pool")
    return httpx.get(f"{place}/v1/contributions", timeout=PATIENCE).json()


@pytest.fixture(scope="module")
def gift(driver, address):
    """A contribution that was dropped on the page; its address."""
    context = driver.new_context()
    page = context.new_page()
    page.goto(address)
    page.evaluate(DROP, [ORDERS.decode(), "my orders.jsonl"])
    page.wait_for_url("**/console/contributions/*")
    yield page.url
    context.close()


def test_contributor_drops_a_file_and_reads_what_it_is_worth_and_why(page, gift):
    page.goto(gift)
    said = page.inner_text("main")
    assert "ACCEPTED, by a SIMULATED machine" in said
    assert "my_orders.jsonl: worth" in page.inner_text("h1")
    assert "earned nothing yet" in page.inner_text("h1")
    for name in ("Records", "New", "Copies found", "Held-out gain", "Evidence"):
        assert page.get_by_text(name, exact=True).count() == 1
    assert "40" in page.locator(".scores").first.inner_text()
    with leaving(page):
        page.get_by_role("link", name="its statement, with every check").click()
    assert "SIMULATED, AND ALLOWED AS SUCH" in page.inner_text("main")


def test_it_is_listed_after_the_console_was_started_again(told, gift, program):
    ours = open_console(lambda: join(told.folder), book=book_of(told)).gifts
    assert ours is not None
    assert [one.id for one in ours.given()] == [one["id"] for one in given(program)]
    assert gift.rpartition("/")[2] in {one.id for one in ours.given()}
    assert {one.name for one in ours.given()} >= {"my_orders.jsonl"}


def test_contributor_who_gives_the_same_again_is_told_that_it_is_a_copy(page, gift, tmp_path):
    (tmp_path / "again.jsonl").write_bytes(ORDERS)
    page.get_by_label("A file of orders").set_input_files(tmp_path / "again.jsonl")
    page.get_by_role("button", name="Seal and give it").click()
    page.wait_for_url("**/console/contributions/*")
    assert "A COPY" in page.inner_text("main")
    assert "worth nothing" in page.inner_text("h1")


def test_without_a_script_a_file_is_given_and_taken_back(driver, address, told, program, tmp_path):
    (tmp_path / "plain.jsonl").write_bytes(file_of(sample_orders(30, seed=77_001)))
    context = driver.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.get_by_label("A file of orders").set_input_files(tmp_path / "plain.jsonl")
    page.get_by_role("button", name="Seal and give it").click()
    page.wait_for_url("**/console/contributions/*")
    one = page.url.rpartition("/")[2]
    page.get_by_role("button", name="Withdraw").click()
    assert "WITHDRAWN" not in page.inner_text("main")  # the box was not ticked
    page.get_by_label("Erase its key for ever").check()
    with leaving(page):
        page.get_by_role("button", name="Withdraw").click()
    assert "WITHDRAWN" in page.inner_text("main")
    assert [entry["state"] for entry in arrived(told) if entry["contribution"] == one] == [
        "withdrawn"
    ]
    with leaving(page):
        page.get_by_role("link", name="the pool’s receipt").click()
    assert "SIMULATED, AND ALLOWED AS SUCH" in page.inner_text("main")
    context.close()
    assert [entry["withdrawn"] is not None for entry in given(program) if entry["id"] == one] == [
        True
    ]


@pytest.mark.parametrize(("data", "words"), [
    (b"this is no JSON\n" * 30, "line 1"),
    (b'{"text": "sell all my ETH", "order": {"buy": "ETH", "part": 1}}\n' * 30, "line 1"),
    (ORDERS[: len(ORDERS) // 2], "not JSON"),
    (b"PK\x03\x04" + b"\0" * 100, "compressed"),
    (b'{"text": "sell all my ETH", "order": {"sell": "ETH", "part": 1}}\n', "at least 20"),
    (b"", "no file was chosen"),
])  # fmt: skip
def test_contributor_sends_what_is_no_file_of_orders_and_nothing_leaves(told, program, data, words):
    before = arrived(told)
    answer = program.post(
        "/console/contribute", data={"form": secret(program), "what": "file"},
        files={"file": ("<b>x</b>.jsonl", data)},
    )  # fmt: skip
    assert answer.status_code >= 400
    assert words in answer.text
    assert "<b>" not in answer.text
    assert arrived(told) == before


def test_client_sends_a_gigabyte_to_the_real_server_and_is_refused(told, program):
    before = arrived(told)
    url = program.base_url
    (cookie,) = [f"{one.name}={one.value}" for one in program.cookies.jar]
    line = http.client.HTTPConnection(url.host, url.port, timeout=PATIENCE)
    with closing(line):
        line.putrequest("POST", "/console/contribute")
        for name, value in (
            ("content-length", str(1 << 30)), ("content-type", "multipart/form-data; boundary=b"),
            ("cookie", cookie), ("origin", str(url).rstrip("/")), ("sec-fetch-site", "same-origin"),
        ):  # fmt: skip
            line.putheader(name, value)
        line.endheaders(b"--b\r\n" + b"x" * 1000)  # the rest is never asked for
        answer = line.getresponse()
        assert (answer.status, b"form_too_large" in answer.read()) == (413, True)
    assert arrived(told) == before


def test_orders_that_are_typed_make_a_file(page):
    page.get_by_text("Or type orders one by one").click()
    for asset, ok in (("ETH", True), ("SOL", False)):
        page.get_by_label("How you would say it").fill("sell half my ETH below 2,000")
        page.get_by_label("Asset").fill(asset)
        page.get_by_label("How much of it").fill("0.5")
        page.get_by_label("When").select_option("below")
        page.get_by_label("Price", exact=True).fill("2000")
        with leaving(page):
            page.get_by_role("button", name="Add the order").click()
        assert (page.locator("[role=alert]").count() == 0) is ok  # the second contradicts itself
    assert "1 order typed" in page.inner_text("main")
    assert page.get_by_role("button", name="Seal and give these").is_disabled()
    with leaving(page):
        page.get_by_role("button", name="Begin anew").click()
    assert "order typed" not in page.inner_text("main")


def test_what_the_console_was_given_lies_nowhere_in_the_clear(told, gift):
    assert gift
    needle = sample_orders(40, seed=20_261)[17].text.encode()
    assert needle in ORDERS
    for path in told.folder.rglob("*"):
        if path.is_file():
            with suppress(FileNotFoundError):  # written under another name by now, or thrown away
                assert needle not in path.read_bytes(), path


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")
def test_other_user_who_got_hold_of_cookie_and_token_is_nobody(address, program):
    url = program.base_url
    (cookie,) = [f"{one.name}={one.value}" for one in program.cookies.jar]
    assert _status(url, "/console", cookie, user=None) == 200
    assert _status(url, "/console", cookie, user=NOBODY) == 401
    assert _status(url, address.partition(f":{url.port}")[2], "", user=NOBODY) == 401
    # A header says where a request comes from, and is not believed.
    forged = f"{cookie}\r\nX-Forwarded-For: 203.0.113.9"
    assert _status(url, "/console", forged, user=NOBODY) == 401


def _status(url, path, cookie, *, user):
    """Return the status of a request that a process of a user sends."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:  # does nothing but what a system call does
        try:
            if user is not None:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            with socket.create_connection((url.host, url.port), timeout=PATIENCE) as line:
                head = f"GET {path} HTTP/1.1\r\nhost: {url.host}:{url.port}\r\n"
                line.sendall(f"{head}connection: close\r\ncookie: {cookie}\r\n\r\n".encode())
                os.write(writable, line.recv(12))
        finally:
            os._exit(0)
    os.close(writable)
    os.waitpid(child, 0)
    with open(readable, "rb") as said:
        return int(said.read().split()[1])


def test_an_answer_of_the_model_has_its_receipt_beside_it(page):
    with leaving(page):
        page.get_by_role("link", name="Talk to the model").click()
    page.get_by_label("Your question").fill(demo_orders.SHOWN.text)
    page.get_by_role("button", name="Ask").click()
    page.wait_for_url("**/console/talk#last")
    last = page.locator("#last")
    assert json.loads(last.locator(".words").inner_text()) == json.loads(
        demo_orders.SHOWN.order.text
    )
    assert "SIMULATED: the receipt holds" in last.inner_text()
    assert "fee 0.30 tUSD" in last.inner_text()
    with leaving(page):
        last.get_by_role("link", name="receipt").click()
    assert re.search(r"/answer/[0-9a-f]{64}$", page.url)
    assert page.get_by_role("heading", level=1).count() == 1


def book_of(told):
    import teeproof.cli.chapters  # noqa: F401  every kind of statement, and its judge

    joined = join(told.folder)
    return Book(told.folder / "log", trust=Trust(policy=joined.policy, logs=joined.logs))


@pytest.fixture(scope="module")
def earner(told):
    """The console of the story's first contributor, whose data the model learnt from."""
    book = book_of(told)
    console = open_console(
        lambda: join(told.folder), book=book, key_file=told.folder / "people/contributor-1.owner"
    )
    app = make_app(book, command=str, console=console)
    with served(app) as url:
        yield f"{url}/console?token={console.token}", console
    console.close()


def test_contributor_sees_what_it_earned_and_from_which_answer(driver, told, earner):
    (line,) = told.of("paid")
    context = driver.new_context()
    page = context.new_page()
    page.goto(earner[0])
    heading = page.get_by_role("heading", level=1).inner_text()
    amount = re.fullmatch(r"You have earned ([0-9.]+) tUSD", heading)
    assert amount is not None, heading
    assert amount[1] in line["facts"]["parts"]["data"]
    with leaving(page):
        page.locator(".gift-name").first.click()
    said = page.inner_text("main")
    assert "30 % of the fee of 0.30 tUSD goes to data" in said
    assert "1 model learnt from it already, and cannot unlearn" in said
    assert line["ids"][0].removeprefix("sha256:")[:8] in said
    context.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_page_of_the_console_fits_and_is_accessible(driver, gift, earner, size, scheme):
    width, height = size
    context = driver.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{page.url} {message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    base, console = earner
    url = base.partition("/console")[0]
    page.goto(f"{url}/console/talk")
    assert "It acts on this machine" in page.inner_text("main")
    _look(page, width)
    said.clear()  # the browser tells of the 401
    page.goto(base)
    (one, *_) = console.gifts.given()
    for path in ("/console", f"/console/contributions/{one.id}", "/console/talk"):
        page.goto(url + path)
        _look(page, width)
    context.close()
    assert said == []


def _look(page, width):
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"{page.url} is {wide} wide"
    if AXE.is_file():
        page.evaluate(AXE.read_text())
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        grave = [
            issue for issue in found["violations"] if issue["impact"] in ("serious", "critical")
        ]
        assert grave == [], page.url

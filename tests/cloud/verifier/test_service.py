"""A verifier as a process: real evidence, real sockets, and clients of every sort."""

from __future__ import annotations

import concurrent.futures
import http.server
import json
import os
import re
import socket
import threading
from collections import Counter
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import teeproof as library
from teeproof.cloud.verifier.requests import MAX_BODY
from teeproof.core.clock import parse_time, to_epoch, wall_clock
from teeproof.evidence.policy import BUILT_IN
from teeproof.proof.results import ear
from teeproof.proof.results.dstack import answer_of
from teeproof.proof.results.keyfile import VerdictKey, parse_public
from tests.cli.conftest import AT
from tests.cli.program import program
from tests.cloud.verifier.serving import Server, encoded, files_of, refused
from tests.vectors import each

EAR = "application/eat+jwt"


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A folder with simulated evidence in good, debug, and a policy that accepts it."""
    folder = tmp_path_factory.mktemp("verifier")
    for state, name in (("up-to-date", "good"), ("debug", "debug")):
        made = program(
            "simulate", state, "--out", folder / name, "--at", AT, TEEPROOF_HOME=str(folder / "sim")
        )
        assert made.code == 0, made.err
    VerdictKey(b"\5" * 32).write(folder / "verdict.key")
    return folder


@pytest.fixture(scope="module")
def server(scene):
    started = Server(
        scene, "--key", scene / "verdict.key", "--policy", scene / "good" / "policy.toml",
        "--workers", 2,
    )  # fmt: skip
    yield started
    assert started.stop() == 0


@pytest.fixture(scope="module")
def accepting(server):
    """The name of the policy that accepts the simulator."""
    (name,) = set(server.about["policies"]) - set(BUILT_IN)
    return name


@pytest.fixture(scope="module")
def good(scene):
    return files_of(scene / "good")


def test_the_banner_says_where_it_is_and_what_it_has(server):
    assert server.about["key"] == VerdictKey(b"\5" * 32).text
    assert set(BUILT_IN) < set(server.about["policies"])
    assert server.client.get("/health").json() == {
        "status": "ok", "service": "teeproof", "version": library.__version__,
    }  # fmt: skip
    listed = server.client.get("/v1/policies").json()
    assert listed["default"] is None
    digests = {one["name"]: one["digest"] for one in listed["policies"]}
    assert digests["strict"] == library.load_policy("strict").digest
    about = server.client.get("/").json()
    assert about["jwk"]["crv"] == "Ed25519"


@pytest.mark.parametrize("record", each("dcap"))
def test_real_evidence_gets_the_library_s_verdict(server, record):
    answer = server.ask(*files_of(record.path), at=record.entry["now"])
    assert answer.status_code == 200, answer.text
    verdict = library.verify(library.load(record.path), now=record.now)
    shown = answer.json()
    del shown["input"]
    assert shown == json.loads(json.dumps(verdict.to_json()))
    assert answer.headers["location"] == f"/v1/verdicts/{verdict.key}"


@pytest.mark.parametrize("record", each("nitro"))
def test_one_file_can_be_sent_as_it_is(server, record):
    (data,) = files_of(record.path)[:1]
    answer = server.client.post("/v1/verdicts", content=data)
    assert answer.status_code == 200
    assert answer.json()["kind"] == "nitro"
    assert answer.json()["exit_code"] == 2  # its certificates have ended long ago
    assert answer.json()["input"]["name"] == "evidence"


def test_a_verdict_is_found_again_by_its_key_and_by_what_was_asked(server, good, accepting):
    first = server.ask(*good, at=AT, policy=accepting)
    assert first.json()["ok"] is True
    again = server.ask(*good, at=to_epoch(parse_time(AT)), policy=accepting)
    assert again.content == first.content
    key = first.json()["key"]
    found = server.client.get(f"/v1/verdicts/{key}")
    assert found.content == first.content
    head = server.client.head(f"/v1/verdicts/{key}")
    assert (head.status_code, head.content) == (200, b"")
    verdict = library.Verdict.from_json(found.content)
    assert verdict.key == key
    refused(server.client.get(f"/v1/verdicts/sha256:{'0' * 64}"), 404, "verdict_unknown")


def test_the_same_bytes_under_another_content_type_are_another_question(server, good):
    body = json.dumps({"files": encoded(*good), "at": AT}).encode()
    kind = {"content-type": "application/json; charset=utf-8"}
    first = server.client.post("/v1/verdicts", content=body, headers=kind)
    assert first.json()["kind"] == "tdx"
    refused(server.client.post("/v1/verdicts", content=body), 400, "file_unknown")
    again = server.client.post("/v1/verdicts", content=body, headers=kind)
    assert again.content == first.content


def test_an_ear_is_signed_for_who_accepts_one(server, good, accepting):
    answer = server.ask(*good, at=AT, policy=accepting, accept=EAR, nonce="client's own")
    assert answer.headers["content-type"] == EAR
    key = parse_public(server.about["key"])
    found = ear.verify(answer.text, key=key, now=parse_time(AT), expected_nonce="client's own")
    assert found.status == "contraindicated"  # simulated
    part = found.submods["tdx"].verdict
    again = server.client.get(
        f"/v1/verdicts/{part['key']}", headers={"accept": f"text/html, {EAR};q=0.9"}
    )
    assert ear.verify(again.text, key=key, now=parse_time(AT)).nonce is None
    refused(server.ask(*good, at=AT, accept=EAR, nonce="short"), 400, "nonce_malformed")


def test_host_gets_no_ear_today_that_is_in_force_when_it_is_revoked_tomorrow(
    server, good, accepting
):
    tomorrow = to_epoch(wall_clock()) + 86_000
    asked = server.ask(*good, at=tomorrow, policy=accepting, accept=EAR)
    refused(asked, 400, "time_ahead")
    key = server.ask(*good, at=tomorrow, policy=accepting).json()["key"]
    again = server.client.get(f"/v1/verdicts/{key}", headers={"accept": EAR})
    refused(again, 400, "time_ahead")
    today = server.ask(*good, at=to_epoch(wall_clock()), policy=accepting, accept=EAR)
    assert today.status_code == 200


def test_who_names_no_time_gets_a_verdict_of_now_and_shares_it(server, good):
    before = wall_clock()
    times = [server.ask(*good).json()["provenance"]["time"] for _ in range(5)]
    assert before <= parse_time(times[0]) <= wall_clock()
    assert len(set(times)) <= 2  # a minute may have begun meanwhile


def test_evidence_that_was_made_a_moment_ago_is_not_from_the_future(server, scene, tmp_path):
    made = program("simulate", "--out", tmp_path / "new", TEEPROOF_HOME=str(scene / "sim"))
    assert made.code == 0
    said = server.ask(*files_of(tmp_path / "new"), policy="genuine").json()
    failed = [check["name"] for check in said["checks"] if check["state"] == "failed"]
    assert failed == ["simulated-root"]


def test_dstack_s_clients_are_answered_as_by_dstack_verifier(server, scene):
    request = {
        "quote": (scene / "good" / "quote.bin").read_bytes().hex(),
        "event_log": (scene / "good" / "event_log.json").read_text(),
        "vm_config": "{}",
        "report_data": "00",
    }
    # as curl -d @quote.json sends it
    answer = server.client.post(
        "/verify", content=json.dumps(request),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    assert answer.status_code == 200
    said = answer.json()
    assert set(said) == {"is_valid", "details", "reason"}
    assert said["is_valid"] is False
    assert said["reason"]


@pytest.mark.parametrize("record", each("dcap"))
def test_an_answer_to_dstack_s_clients_says_of_real_evidence_what_its_verdict_says(record):
    verdict = library.verify(library.load(record.path), now=record.now)
    said = answer_of(verdict)
    assert said["details"]["quote_verified"] is verdict.authentic
    assert said["is_valid"] is False  # no OS image is pinned


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"quote": "00"}, 200, "quote"),
        ({"quote": "zz"}, 200, "quote in hex"),
        ({"attestation": "00"}, 200, None),
        ({"quote": "", "attestation": ""}, 200, None),
    ],
)
def test_what_is_no_evidence_is_not_valid_and_says_why(server, body, status, reason):
    answer = server.client.post("/verify", json=body)
    assert answer.status_code == status, answer.text
    said = answer.json()
    assert said["is_valid"] is False
    assert said["details"]["quote_verified"] is False
    assert reason is None or reason in said["reason"]


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"{", b'{"quote": 1}', b"\xff"])
def test_what_dstack_s_verifier_would_not_read_is_refused(server, body):
    answer = server.client.post("/verify", content=body)
    assert answer.status_code == 400
    refused(answer, 400, answer.json()["error"])


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "route_unknown"),
        ("GET", "/v1/verdicts", 405, "method_wrong"),
        ("POST", "/health", 405, "method_wrong"),
        ("DELETE", "/v1/verdicts/sha256:00", 405, "method_wrong"),
        ("GET", "/v1/verdicts/sha256:00", 404, "verdict_unknown"),
        ("GET", "/v1/verdicts/../../etc/passwd", 404, None),
        ("GET", "/health?x=1", 404, "route_unknown"),
        ("GET", "/v1/policies/", 404, "route_unknown"),
    ],
)
def test_other_paths_and_methods_are_refused(server, method, path, status, code):
    answer = server.client.request(method, path)
    refused(answer, status, code or answer.json()["error"])


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"policy": "nobody's"}, 400, "policy_unknown"),
        ({"policy": "../strict"}, 400, "policy_unknown"),
        ({"at": "tomorrow"}, 400, "time_malformed"),
        ({"at": "2999-01-01"}, 400, "time_ahead"),
        ({"at": -5}, 400, "time_malformed"),
        ({"files": []}, 400, "request_files"),
        ({"files": ["AA=="] * 33}, 400, "request_files"),
        ({"files": ["%"]}, 400, "request_malformed"),
        ({"files": [""]}, 400, "request_malformed"),
        ({"files": "AAAA"}, 400, "request_malformed"),
        ({"url": "https://evil.example/quote"}, 400, "request_malformed"),
    ],
)
def test_what_is_asked_wrongly_is_refused_in_the_one_shape(server, good, fields, status, code):
    body = {"files": encoded(*good)} | fields
    refused(server.client.post("/v1/verdicts", json=body), status, code)


def test_evidence_of_two_machines_is_not_one(server, scene):
    both = [(scene / name / "quote.bin").read_bytes() for name in ("good", "debug")]
    refused(server.ask(*both), 400, "quotes_differ")


# Attackers


class _Listener(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(404)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


def test_client_asks_to_fetch_a_url_and_nothing_is_fetched(server, scene):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Listener) as trap:
        threading.Thread(target=trap.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{trap.server_port}/sgx/certification/v4/"
        quote = (scene / "good" / "quote.bin").read_bytes().hex()
        body = {"quote": quote, "pccs_url": url, "vm_config": json.dumps({"pccs_url": url})}
        said = server.client.post("/verify", json=body).json()
        trap.shutdown()
    assert _Listener.asked == []
    assert said["is_valid"] is False
    assert "pccs_url was not asked" in said["remarks"][0]


def test_client_replays_a_verdict_under_another_policy(server, scene, accepting):
    files = files_of(scene / "debug")
    kind = {"at": AT}
    lenient = server.ask(*files, policy=accepting, **kind).json()
    standard = server.ask(*files, policy="standard", **kind).json()
    strict = server.ask(*files, policy="strict", **kind).json()
    keys = {one["key"] for one in (lenient, standard, strict)}
    assert len(keys) == 3
    for one in (lenient, standard, strict):
        found = server.client.get(f"/v1/verdicts/{one['key']}").json()
        assert found["provenance"]["policy_digest"] == one["provenance"]["policy_digest"]
    token = server.client.get(f"/v1/verdicts/{lenient['key']}", headers={"accept": EAR}).text
    with pytest.raises(library.NotAuthentic, match="another policy"):
        ear.verify(
            token, key=parse_public(server.about["key"]), now=parse_time(AT),
            expected_policy=strict["provenance"]["policy_digest"],
        )  # fmt: skip


def test_client_sends_one_bit_more_and_gets_another_verdict(server, good, accepting):
    first = server.ask(*good, at=AT, policy=accepting).json()
    quote = next(i for i, data in enumerate(good) if data[:2] in (b"\4\0", b"\5\0"))
    bent = bytearray(good[quote])
    bent[200] ^= 1
    other = server.ask(*good[:quote], bytes(bent), *good[quote + 1 :], at=AT, policy=accepting)
    assert first["ok"] is True
    assert other.json()["ok"] is False
    assert other.json()["key"] != first["key"]


def raw(server: Server, request: bytes) -> tuple[int, bytes]:
    """Send bytes as they are; return status and body of the answer."""
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as sock:
        sock.sendall(request)
        answer = HTTPResponse(sock)
        answer.begin()
        return answer.status, answer.read()


def test_client_announces_more_than_it_may_send(server):
    head = b"POST /v1/verdicts HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    status, body = raw(server, head % (MAX_BODY + 1))
    assert (status, json.loads(body)["error"]) == (413, "too_large")
    status, body = raw(server, head % (1 << 62))
    assert (status, json.loads(body)["error"]) == (413, "too_large")


def test_client_sends_more_than_it_may_without_saying_so(server):
    def endless():
        for _ in range(MAX_BODY // 65536 + 2):
            yield b"0" * 65536

    refused(server.client.post("/v1/verdicts", content=endless()), 413, "too_large")


def test_client_sends_headers_without_end(server):
    status, body = raw(server, b"GET / HTTP/1.1\r\nx: " + b"a" * 20_000)
    assert (status, json.loads(body)["ok"]) == (431, False)


def test_client_nests_deeply_and_repeats_keys(server):
    for body, code in (
        (b'{"files":' + b"[" * 500 + b"]" * 500 + b"}", "json_too_deep"),
        (b'{"files":["AA=="],"files":["AA=="]}', "json_duplicate_key"),
    ):
        answer = server.client.post(
            "/v1/verdicts", content=body, headers={"content-type": "application/json"}
        )
        refused(answer, 400, code)


def test_clients_who_drip_their_requests_keep_nobody_waiting(server):
    parts = urlsplit(server.url)
    slow = [socket.create_connection((parts.hostname, parts.port)) for _ in range(100)]
    try:
        for sock in slow:
            sock.sendall(
                b"POST /v1/verdicts HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n0"
            )
        assert server.client.get("/health").status_code == 200
        for sock in slow:
            sock.sendall(b"0")
        assert server.client.get("/health").status_code == 200
    finally:
        for sock in slow:
            sock.close()


def test_two_hundred_clients_who_ask_the_same_are_answered_by_one_verification(
    server, good, accepting
):
    before = server.said.count("event=verdict")
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        answers = list(
            pool.map(
                lambda _: server.ask_apart(*good, at=1_772_366_401, policy=accepting), range(200)
            )
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert server.said.count("event=verdict") - before == 1


def test_two_hundred_clients_who_ask_differently_are_answered_or_told_to_come_again(
    server, good, accepting
):
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        answers = list(
            pool.map(
                lambda n: server.ask_apart(*good, at=1_772_366_500 + n, policy=accepting),
                range(200),
            )
        )
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {200, 503}
    assert statuses[200] >= 66  # two workers, and 64 wait
    for answer in answers:
        if answer.status_code == 503:
            refused(answer, 503, "verifier_busy")
            assert answer.headers["retry-after"]
        else:
            assert answer.json()["ok"] is True
    assert server.ask(*good, at=AT, policy=accepting).status_code == 200


# The service as its operator sees it


def test_endorsements_that_come_into_the_archive_count_at_once(server, scene):
    evidence = [(scene / "good" / name).read_bytes() for name in ("quote.bin", "event_log.json")]
    before = server.ask(*evidence, at=AT, policy="genuine").json()
    added = program(
        "endorsements", "add", scene / "good" / "collateral.json", TEEPROOF_HOME=str(server.home)
    )
    assert added.code == 0, added.err
    after = server.ask(*evidence, at=AT, policy="genuine").json()
    assert before["input"]["endorsements"]["source"] == "none"
    assert after["input"]["endorsements"]["source"] == "archive"
    assert before["key"] != after["key"]


def test_what_it_tells_its_operator_names_no_evidence(server, good):
    server.ask(*good, at=AT)
    line = re.compile(r'time=\S+ event=\w+( \w+=("[^"]*"|\S+))*')
    assert all(line.fullmatch(said) for said in server.said.splitlines())
    assert "Traceback" not in server.said
    assert "event=fault" not in server.said


def test_sigterm_ends_it_and_its_workers(scene, tmp_path):
    server = Server(tmp_path, "--workers", 2)
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    assert len(children.split()) == 2
    refused(server.ask(b"x", accept=EAR), 406, "not_acceptable")
    assert server.stop() == 0
    assert "event=stopped" in server.said
    for pid in children.split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (("--default", "mine"), 1, "policy_unknown"),
        (("--policy", "missing.toml"), 3, "file_unavailable"),
        (("--key", "missing.key"), 3, "file_unavailable"),
        (("--listen", "nowhere"), 1, "address_malformed"),
    ],
)
def test_what_cannot_be_served_says_why(options, code, error):
    answer = program("evidence", "serve", *options, "--json")
    assert (answer.code, answer.json["error"]) == (code, error)


def test_two_policies_of_one_name_are_refused(tmp_path):
    (tmp_path / "mine.toml").write_text('name = "strict"\ndebug = false\n')
    answer = program("evidence", "serve", "--policy", tmp_path / "mine.toml", "--json")
    assert (answer.code, answer.json["error"]) == (1, "policy_name_taken")

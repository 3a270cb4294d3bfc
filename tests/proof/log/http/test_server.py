"""A log's server: what it serves, whom it refuses, and that an answer means "durable"."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import socket
import sys
import time
from http.client import HTTPResponse
from urllib.parse import urlsplit

import httpx
import pytest

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Unavailable
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.log.admission import MAX_BYTES, read_record
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint, verify_checkpoint
from teeproof.proof.log.formats.entry import IDENTITY, RECEIPT, STATEMENT, Entry
from teeproof.proof.log.formats.merkle import leaf_hash
from teeproof.proof.log.formats.tiles import decode_entries, entries_path, tile_path
from teeproof.proof.log.formats.tlogproof import TlogProof
from teeproof.proof.log.http.keysets import Keysets
from teeproof.proof.log.http.limits import MAX_BATCH, MAX_BATCH_BYTES, NDJSON
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.log.storage.items import Item
from teeproof.web.protocol import MAX_HEADER_BYTES
from teeproof.web.running import server_for
from tests.proof.log.http.httplog import (
    ORIGIN,
    TOKEN,
    identity,
    receipt,
    served,
    statement,
    statement_id,
    unsigned,
)
from tests.proof.people import step, workload_named

AUTH = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A served log of 300 entries, published at 5, 256 and 300."""
    with served(tmp_path_factory.mktemp("log") / "log") as made:
        with made.client() as client:
            client.append_many([statement(n) for n in range(5)])
            made.publisher.publish()
            client.append_many([statement(n) for n in range(5, 256)])
            made.publisher.publish()
            client.append_many([statement(n) for n in range(256, 300)])
            made.publisher.publish()
        yield made


@pytest.fixture
def empty(tmp_path):
    with served(tmp_path / "log") as made:
        yield made


@pytest.fixture
def http():
    with httpx.Client(timeout=60) as client:
        yield client


def raw(url: str, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are; return status, headers and body of the answer."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=120) as sock:
        sock.sendall(request)
        answer = HTTPResponse(sock)
        answer.begin()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def get(url: str, path: str) -> tuple[int, dict[str, str], bytes]:
    return raw(url, b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    """Check the one shape of errors."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    assert set(said) == {"ok", "error", "detail", "expected", "got"}
    assert said["ok"] is False
    assert said["error"] == code
    return said


def test_the_checkpoint_is_served_as_c2sp_says(full, http):
    answer = http.get(f"{full.url}/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    signed = SignedCheckpoint.parse(answer.content)
    verify_checkpoint(signed, full.log.verifier)
    assert signed.checkpoint.size == 300


@pytest.mark.parametrize(
    ("path", "size"),
    [
        (tile_path(0, 0), 256 * 32),
        (tile_path(0, 1, 44), 44 * 32),
        (tile_path(1, 0, 1), 32),
        (entries_path(0), 256 * 68),
        (entries_path(1, 44), 44 * 68),
    ],
)
def test_tiles_and_bundles_are_served_for_ever(full, http, path, size):
    answer = http.get(f"{full.url}/{path}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "immutable" in answer.headers["cache-control"]
    assert len(answer.content) == size
    head = http.head(f"{full.url}/{path}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(size)


def test_entries_hash_to_their_tile(full, http):
    hashes = http.get(f"{full.url}/{tile_path(0, 0)}").content
    entries = decode_entries(http.get(f"{full.url}/{entries_path(0)}").content)
    assert b"".join(map(leaf_hash, entries)) == hashes


@pytest.mark.parametrize(
    "path",
    [
        "/tile/0/002",
        "/tile/0/001",  # not full yet
        "/tile/0/001.p/45",
        "/tile/2/000.p/1",
        "/tile/63/000",
        "/tile/64/000",
        "/tile/entries/001",
        "/tile/0/x999/x999/x999/x999/x999/x999/999",
        "/tile/0/x999/x999/x999/x999/x999/x999/x999/x999/x999/999",
        "/tile/0/000.p/256",
        "/tile/0/000.p/0",
        "/tile/0/00",
        "/tile/00/000",
        "/tile/0/000/",
        "/tile/",
        "/tile",
        "/nothing",
        "/proof/",
        "/append/x",
    ],
)
def test_what_is_not_there_is_404_in_the_one_shape(full, http, path):
    answer = http.get(full.url + path)
    refused(answer, 404, "tile_missing" if path.startswith("/tile/") else "route_unknown")


@pytest.mark.parametrize(
    "path",
    [
        "/tile/../checkpoint",
        "/tile/0/../../../key",
        "/../log.json",
        "/tile/0/%30%30%30",
        "/tile/%2e%2e/key",
        "/tile/0/000%00",
        "/%63heckpoint",
        "//checkpoint",
        "/checkpoint/",
        "/checkpoint?size=1",
        "/checkpoint?",
        "/tile/0/000?x=1",
        "/tile//0/000",
        "/tile/0\\000",
        "/tile/0/000;v=1",
        "/./checkpoint",
    ],
)
def test_network_path_tricks_lead_nowhere(full, path):
    status, headers, body = get(full.url, path)
    if path == "/checkpoint?":  # the parser drops an empty query; it names the same thing
        assert status == 200
        return
    assert status == 404, body
    assert json.loads(body)["error"] in ("tile_missing", "route_unknown")
    assert headers["cache-control"] == "no-store"


def test_network_digits_of_another_script_are_no_digits(full):
    status, _, _ = get(full.url, "/tile/0/%D9%A0%D9%A0%D9%A0")  # ARABIC-INDIC DIGIT ZERO
    assert status == 404
    status, _, _ = raw(full.url, "GET /tile/0/٠٠٠ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert status in (400, 404)


def test_a_partial_tile_that_is_gone_is_missing_and_its_full_one_is_there(empty, http):
    with empty.client() as client:
        for numbers in (range(5), range(5, 256), range(256, 258), range(258, 260)):
            client.append_many([statement(n) for n in numbers])
            empty.publisher.publish()
    assert not (empty.log.public / tile_path(0, 0, 5)).exists()
    for path in (tile_path(0, 0, 5), entries_path(0, 5)):
        refused(http.get(f"{empty.url}/{path}"), 404, "tile_missing")
    for path in (tile_path(0, 0), entries_path(0)):
        assert http.get(f"{empty.url}/{path}").status_code == 200


def test_the_log_describes_itself(full, http):
    said = http.get(f"{full.url}/").json()
    assert said["origin"] == ORIGIN
    assert said["vkey"] == full.log.verifier.text()
    assert said["size"] == 300
    assert said["maximum_delay_seconds"] >= 10
    assert said["witnesses"] == []


def test_an_append_is_answered_with_its_place_and_its_salt(empty, http):
    before = time.time()
    answer = http.post(f"{empty.url}/append", content=statement(), headers=AUTH)
    said = answer.json()
    assert answer.status_code == 200
    assert said["origin"] == ORIGIN
    assert said["index"] == 0
    assert said["id"] == named(statement_id(statement()))
    assert said["published_by"] >= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(before))
    empty.publisher.publish()
    entry = Entry.parse(empty.log.entry(0))
    assert entry.kind == STATEMENT
    record = read_record(statement(), identity_of_keyset={}.get)
    assert record.entry(bytes.fromhex(said["salt"])) == entry
    assert empty.log.record(0) == statement()


def test_the_same_statement_keeps_its_first_place(empty, http):
    first = http.post(f"{empty.url}/append", content=statement(), headers=AUTH).json()
    http.post(f"{empty.url}/append", content=statement(1), headers=AUTH)
    again = http.post(f"{empty.url}/append", content=statement(), headers=AUTH).json()
    assert (again["index"], again["salt"]) == (first["index"], first["salt"])


def test_identities_and_receipts_are_taken_with_their_author(empty, http):
    who = identity()
    paper = receipt(who.keyset_digest)
    early = http.post(f"{empty.url}/append", content=paper, headers=AUTH)
    refused(early, 409, "identity_unknown")
    for data in (who.encode(), paper):
        assert http.post(f"{empty.url}/append", content=data, headers=AUTH).status_code == 200
    empty.publisher.publish()
    found = [Entry.parse(empty.log.entry(index)) for index in (0, 1)]
    assert [entry.kind for entry in found] == [IDENTITY, RECEIPT]
    assert [entry.identity for entry in found] == [who.digest, who.digest]


def test_a_token_holder_cannot_enter_an_identity_that_its_keys_did_not_sign(empty, http):
    who = identity()
    thief = unsigned(who).encode()
    refused(
        http.post(f"{empty.url}/append", content=thief, headers=AUTH), 400, "possession_unproven"
    )
    batch = b"\n".join((statement(1), thief))
    headers = AUTH | {"Content-Type": NDJSON}
    answer = http.post(f"{empty.url}/append", content=batch, headers=headers)
    refused(answer, 400, "possession_unproven")
    assert empty.log.size == 0
    answer = http.post(f"{empty.url}/append", content=who.encode(), headers=AUTH)
    assert answer.status_code == 200


def test_a_log_in_which_somebody_took_a_keyset_gives_its_receipts_to_their_author(empty):
    """Entered past the server, or by one that did not yet refuse it."""
    who = identity()
    for one in (unsigned(who), who):
        item = Item(IDENTITY, one.digest, one.digest, one.seal, one.encode())
        empty.log.append_many([item])
    keysets = Keysets()
    keysets.read(empty.log)
    assert keysets.identity_of(who.keyset_digest) == who.digest


def test_a_token_holder_who_enters_words_first_does_not_get_their_proof(empty, http):
    author = workload_named("author")
    made = step(author, "train", "model")
    forged = Envelope(made.payload, (Signature("", bytes(64)),))
    for record in (author.record, forged, author.sign(made)):
        answer = http.post(f"{empty.url}/append", content=record.encode(), headers=AUTH)
        assert answer.status_code == 200
    empty.publisher.publish()
    answer = http.get(f"{empty.url}/proof/{made.name}", headers=AUTH)
    proof = TlogProof.parse(answer.content)
    assert (proof.index, proof.extra[32:]) == (2, author.sign(made).seal(1))


def test_a_batch_is_appended_in_its_order(empty, http):
    who = identity()
    lines = [statement(1), who.encode(), receipt(who.keyset_digest), statement(2)]
    headers = AUTH | {"Content-Type": NDJSON}
    body = b"\n".join(lines) + b"\n"
    said = http.post(f"{empty.url}/append", content=body, headers=headers).json()
    assert [part["index"] for part in said["appended"]] == [0, 1, 2, 3]
    assert [empty.log.record(n) for n in range(4)] == lines


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (statement(1) + b"\n\n" + statement(2), "record_unknown", "line 2"),
        (statement(1) + b"\n{}\n", "record_unknown", "line 2"),
        (b"", "record_unknown", "line 1"),
        (b"\n" * (MAX_BATCH + 1), "too_large", "too many"),
    ],
)
def test_of_a_bad_batch_nothing_is_appended(empty, http, body, code, words):
    headers = AUTH | {"Content-Type": NDJSON}
    answer = http.post(f"{empty.url}/append", content=body, headers=headers)
    said = refused(answer, 413 if code == "too_large" else 400, code)
    assert words in said["detail"]
    assert empty.log.size == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "record_unknown"),
        (b"junk", "record_unknown"),
        (b"[]", "record_unknown"),
        (b"{}", "record_unknown"),
        (b'{"payload": 7}', "envelope_malformed"),
        (statement().replace(b"vnd.in-toto", b"vnd.another"), "record_unknown"),
        (statement()[:-1], "record_unknown"),
        (statement() + b"x", "record_unknown"),
        (b'{"attachments":{}}', "identity_record_malformed"),
        (b'{"event_log":[]}', "receipt_malformed"),
        (receipt("sha256:zz"), "receipt_malformed"),
    ],
)
def test_junk_is_refused_and_not_logged(empty, http, body, code):
    refused(http.post(f"{empty.url}/append", content=body, headers=AUTH), 400, code)
    assert empty.log.size == 0


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({}, "token_missing"),
        ({"Authorization": "Bearer wrong-wrong-wrong-wrong"}, "token_wrong"),
        ({"Authorization": f"Bearer {TOKEN[:-1]}"}, "token_wrong"),
        ({"Authorization": f"Bearer {TOKEN} "[:-1] + "x"}, "token_wrong"),
        ({"Authorization": f"Basic {TOKEN}"}, "token_wrong"),
        ({"Authorization": TOKEN}, "token_wrong"),
        ({"Authorization": "Bearer"}, "token_wrong"),
    ],
)
def test_network_nobody_appends_or_asks_without_a_token(empty, http, header, code):
    name = named(statement_id(statement()))
    blob = f"{empty.url}/blob/{sha256(b'x').hex()}"
    for answer in (
        http.post(f"{empty.url}/append", content=statement(), headers=header),
        http.get(f"{empty.url}/proof/{name}", headers=header),
        http.put(blob, content=b"x", headers=header),
        http.get(blob, headers=header),
    ):
        said = refused(answer, 401, code)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in json.dumps(said)
    assert empty.log.size == 0


def test_network_two_tokens_are_no_token(empty):
    request = (
        f"POST /append HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Length: 0\r\n\r\n"
    )
    assert raw(empty.url, request.encode())[0] == 401


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/checkpoint", "GET, HEAD"),
        ("DELETE", "/tile/0/000", "GET, HEAD"),
        ("GET", "/append", "POST"),
        ("PUT", "/append", "POST"),
        ("POST", "/", "GET, HEAD"),
        ("POST", "/blob/00", "GET, HEAD, PUT"),
        ("OPTIONS", "/proof/x", "GET, HEAD"),
    ],
)
def test_other_methods_are_refused_with_those_that_there_are(full, http, method, path, allowed):
    answer = http.request(method, full.url + path)
    refused(answer, 405, "method_wrong")
    assert answer.headers["allow"] == allowed


def test_a_proof_is_a_tlog_proof_with_salt_and_seal(full, http):
    name = named(statement_id(statement(7)))
    answer = http.get(f"{full.url}/proof/{name}", headers=AUTH)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "no-store" in answer.headers["cache-control"]
    proof = TlogProof.parse(answer.content)
    assert proof.index == 7
    stored = full.log.stored(7)
    assert proof.extra == stored.salt + stored.seal
    assert proof.checkpoint.checkpoint.size == 256, "the earliest that covers it"


def test_a_proof_of_what_is_not_there_is_refused(empty, http):
    name = named(statement_id(statement()))
    refused(http.get(f"{empty.url}/proof/{name}", headers=AUTH), 404, "statement_unknown")
    http.post(f"{empty.url}/append", content=statement(), headers=AUTH)
    refused(http.get(f"{empty.url}/proof/{name}", headers=AUTH), 404, "not_published")
    refused(http.get(f"{empty.url}/proof/x", headers=AUTH), 400, "digest_malformed")


def test_a_blob_is_kept_by_its_digest_and_no_other(empty, http):
    path = f"{empty.url}/blob/{sha256(b'quote').hex()}"
    said = http.put(path, content=b"quote", headers=AUTH).json()
    assert said["id"] == named(sha256(b"quote"))
    assert http.get(path, headers=AUTH).content == b"quote"
    refused(http.put(path, content=b"quota", headers=AUTH), 422, "blob_mismatch")
    other = f"{empty.url}/blob/{sha256(b'quota').hex()}"
    refused(http.get(other, headers=AUTH), 404, "blob_unknown")
    for name in ("..%2f..%2fkey", "AB" * 32, "00"):
        refused(http.get(f"{empty.url}/blob/{name}", headers=AUTH), 400, "digest_malformed")


@pytest.mark.parametrize(
    ("kind", "limit"), [("application/json", MAX_BYTES), (NDJSON, MAX_BATCH_BYTES)]
)
@pytest.mark.parametrize("chunked", [False, True])
def test_network_an_oversize_body_is_refused_unread(empty, http, kind, limit, chunked):
    size = limit + 1
    body = (b"x" * part for part in (size - 1, 1)) if chunked else b"x" * size
    headers = AUTH | {"Content-Type": kind}
    answer = http.post(f"{empty.url}/append", content=body, headers=headers)
    refused(answer, 413, "too_large")
    again = http.post(f"{empty.url}/append", content=statement(), headers=AUTH)
    assert again.status_code == 200, "the connection, or the next one, still works"


def test_network_a_body_that_only_says_that_it_is_large_is_refused_at_once(empty):
    request = (
        f"POST /append HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Length: 999999999999\r\n\r\n"
    )
    status, _, body = raw(empty.url, request.encode())
    assert (status, json.loads(body)["error"]) == (413, "too_large")


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Transfer-Encoding: xchunked",
    ],
)
def test_network_a_request_whose_end_is_unclear_is_refused(empty, framing):
    head = f"POST /append HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n{framing}\r\n\r\n"
    status, headers, _ = raw(
        empty.url, head.encode() + b"0\r\n\r\nGET /checkpoint HTTP/1.1\r\n\r\n"
    )
    assert (status, headers["connection"]) == (400, "close")
    assert empty.log.size == 0


def test_a_client_that_asks_first_is_told_to_go_on(empty):
    body = statement()
    head = (
        f"POST /append HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    parts = urlsplit(empty.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=120) as sock:
        sock.sendall(head.encode())
        assert sock.recv(4096).startswith(b"HTTP/1.1 100 ")
        sock.sendall(body)
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_network_headers_without_end_are_refused(empty):
    head = b"GET /checkpoint HTTP/1.1\r\nHost: x\r\n"
    status, _, body = raw(empty.url, head + b"X-Pad: " + b"a" * (2 * MAX_HEADER_BYTES))
    assert (status, json.loads(body)["error"]) == (431, "too_large")


def test_network_what_is_no_http_is_refused_in_the_one_shape(empty):
    status, headers, body = raw(empty.url, b"\x16\x03\x01\x02\x00\x01\r\n\r\n")
    assert (status, headers["content-type"]) == (400, "application/json")
    assert json.loads(body)["error"] == "http_malformed"


def test_network_who_dawdles_is_hung_up_on(empty, monkeypatch):
    monkeypatch.setattr("teeproof.web.protocol.REQUEST_SECONDS", 0.2)
    parts = urlsplit(empty.url)
    for begun in (b"", b"GET /check", b"POST /append HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"):
        with socket.create_connection((parts.hostname, parts.port), timeout=120) as sock:
            sock.sendall(begun)
            with contextlib.suppress(ConnectionResetError):
                while sock.recv(4096):  # until the end; an answer may come before
                    pass


def test_network_too_many_connections_are_told_so(empty, monkeypatch):
    monkeypatch.setattr("teeproof.web.protocol.MAX_CONNECTIONS", 0)
    status, headers, body = get(empty.url, "/checkpoint")
    assert (status, json.loads(body)["error"]) == (503, "server_busy")
    assert headers["retry-after"]


class Slow(Disk):
    """A disk that takes its time, and counts how often it was asked to be sure."""

    syncs = 0

    def sync(self, descriptor: int) -> None:
        self.syncs += 1
        time.sleep(0.02)
        super().sync(descriptor)


def test_two_hundred_appenders_share_commits_and_each_has_a_place(tmp_path):
    disk = Slow()
    with served(tmp_path / "log", disk=disk) as made:

        def append(number: int) -> int:
            with made.client() as client:
                return client.append(statement(number)).index

        before = disk.syncs
        with concurrent.futures.ThreadPoolExecutor(200) as pool:
            places = sorted(pool.map(append, range(400)))
        assert places == list(range(400))
        assert disk.syncs - before < 200


def test_a_log_that_cannot_publish_takes_nothing_more(empty, http, monkeypatch):
    monkeypatch.setattr(type(empty.publisher), "behind", property(lambda _: True))
    answer = http.post(f"{empty.url}/append", content=statement(), headers=AUTH)
    refused(answer, 503, "log_behind")
    assert answer.headers["retry-after"]
    assert http.get(f"{empty.url}/checkpoint").status_code == 200


def test_a_fault_is_told_without_its_content(empty, http, monkeypatch):
    def broken() -> None:
        raise RuntimeError("a secret of the process")

    monkeypatch.setattr(empty.log, "checkpoint", broken)
    answer = http.get(f"{empty.url}/checkpoint")
    refused(answer, 500, "internal")
    assert "secret" not in answer.text


def test_the_operators_log_has_one_line_per_event_and_no_secret(tmp_path, http):
    lines = []

    def say(event: str, **fields: object) -> None:
        lines.append(" ".join([event, *(f"{k}={v}" for k, v in fields.items())]))

    with served(tmp_path / "log", say=say) as made:
        said = http.post(f"{made.url}/append", content=statement(), headers=AUTH).json()
        http.post(f"{made.url}/append", content=b"junk", headers=AUTH)
    assert lines == [
        "appended by=first entries=1 first=0",
        "refused status=400 error=record_unknown method=POST",
    ]
    assert not any(secret in line for line in lines for secret in (TOKEN, said["salt"], said["id"]))


def test_without_the_extra_the_error_says_what_to_install_here_and_in_a_checkout(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(Unavailable) as missing:
        server_for(lambda *_: None)
    assert missing.value.code == "extra_missing"
    for command in ("pip install 'teeproof[serve]'", "pip install -e '.[serve]'"):
        assert command in missing.value.detail

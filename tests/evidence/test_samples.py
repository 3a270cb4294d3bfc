"""Samples: fetched by digest or not at all, rewrapped without loss, and found again."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from teeproof.core.errors import Error, Malformed, NotAuthentic, TooLarge, Unavailable, Usage
from teeproof.evidence.collect.simulated import SimulatedPlatform
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.samples import fetch as samples
from teeproof.evidence.samples import formats

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PLATFORM = SimulatedPlatform(bytes(range(32)))
EVIDENCE = PLATFORM.machine().evidence(bytes(range(64)), now=NOW)
COLLATERAL = PLATFORM.collateral(NOW)
COMMIT = "0123456789abcdef" * 2 + "01234567"

Reply = Callable[["_Handler", bytes], None]


class _Handler(BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        name = self.path.rpartition("/")[2]
        if self.path.startswith(f"/owner/name/{COMMIT}/data/") and name in self.server.files:
            self.server.reply(self, self.server.files[name])
        else:
            self.send_error(404)

    def send(self, body: bytes, *, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"content_length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        pass


class Publisher(ThreadingHTTPServer):
    """A web server that holds the files of one commit."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.reply: Reply = lambda handler, body: handler.send(body)
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def publish(publisher: Publisher, convert: Any, **files: bytes) -> samples.Sample:
    """Serve these files, by role, and return the sample that they make."""
    publisher.files = files
    return samples.Sample(
        name="made-up",
        about="simulated evidence in the place of real",
        kind="tdx",
        at=NOW,
        expected="UpToDate",
        sources={role: source(role, data) for role, data in files.items()},
        convert=convert,
    )


def source(role: str, data: bytes) -> samples.Source:
    return samples.Source(
        repository="owner/name",
        commit=COMMIT,
        path=f"data/{role}",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        licence="MIT",
    )


@pytest.fixture
def plain(publisher: Publisher) -> samples.Sample:
    collateral = json.dumps(COLLATERAL.to_json()).encode()
    return publish(publisher, formats.plain, quote=EVIDENCE.quote, collateral=collateral)


def fetch(publisher: Publisher, sample: samples.Sample, home: Path, **options: Any) -> Path:
    return samples.fetch_sample(sample, home, base_url=publisher.url, **options)


def refusal(publisher: Publisher, sample: samples.Sample, home: Path) -> Error:
    """Return why a sample was not fetched, after looking that nothing of it stayed behind."""
    with pytest.raises(Error) as caught:
        fetch(publisher, sample, home)
    assert [path for path in home.rglob("*") if path.name != "samples"] == []
    return caught.value


def test_a_sample_is_stored_as_a_quote_and_its_collateral(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path
):
    folder = fetch(publisher, plain, tmp_path)

    assert folder == tmp_path / "samples" / "made-up"
    assert sorted(path.name for path in folder.iterdir()) == [
        "collateral.json",
        "quote.bin",
        "sample.json",
    ]
    assert (folder / "quote.bin").read_bytes() == EVIDENCE.quote
    assert Collateral.parse((folder / "collateral.json").read_bytes()) == COLLATERAL


def test_what_is_stored_says_where_every_file_came_from(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path
):
    about = json.loads((fetch(publisher, plain, tmp_path) / "sample.json").read_bytes())

    origin = about["sources"]["quote"]
    assert (origin["repository"], origin["commit"]) == ("owner/name", COMMIT)
    assert origin["sha256"] == hashlib.sha256(EVIDENCE.quote).hexdigest()
    assert (about["at"], about["expected"]) == ("2026-03-01T00:00:00Z", "UpToDate")


def test_a_sample_that_is_there_is_not_fetched_again(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path
):
    fetch(publisher, plain, tmp_path)
    publisher.asked.clear()

    fetch(publisher, plain, tmp_path)

    assert publisher.asked == []


@pytest.mark.parametrize("harm", ["changed", "missing", "no about", "about no json", "newer table"])
def test_a_sample_that_was_harmed_or_is_of_another_table_is_fetched_anew(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path, harm: str
):
    folder = fetch(publisher, plain, tmp_path)
    match harm:
        case "changed":
            (folder / "quote.bin").write_bytes(b"another")
        case "missing":
            (folder / "collateral.json").unlink()
        case "no about":
            (folder / "sample.json").unlink()
        case "about no json":
            (folder / "sample.json").write_bytes(b"[]")
        case "newer table":
            plain = replace(plain, about="described better")
    publisher.asked.clear()

    fetch(publisher, plain, tmp_path)

    assert len(publisher.asked) == 2
    assert (folder / "quote.bin").read_bytes() == EVIDENCE.quote
    assert Collateral.parse((folder / "collateral.json").read_bytes()) == COLLATERAL
    assert [path.name for path in folder.parent.iterdir()] == ["made-up"]


def test_progress_counts_the_bytes_of_all_files_up_to_the_end(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path
):
    told: list[tuple[int, int]] = []

    fetch(publisher, plain, tmp_path, progress=lambda done, total: told.append((done, total)))

    assert told == sorted(told)
    assert told[-1] == (plain.size, plain.size)
    assert plain.size == sum(map(len, publisher.files.values()))


def test_publisher_changes_one_bit_and_nothing_is_stored(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path
):
    publisher.reply = lambda handler, body: handler.send(bytes([body[0] ^ 1]) + body[1:])

    error = refusal(publisher, plain, tmp_path)

    assert isinstance(error, NotAuthentic)
    assert error.code == "sample_digest"
    assert plain.sources["quote"].sha256 in (error.expected or "")


def test_publisher_changes_only_the_second_file_and_nothing_is_stored(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path
):
    publisher.files["collateral"] = publisher.files["collateral"].replace(b"1", b"2", 1)

    assert refusal(publisher, plain, tmp_path).code == "sample_digest"


def test_publisher_appends_one_byte_and_is_cut_off(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path
):
    publisher.reply = lambda handler, body: handler.send(body + b"\0")

    error = refusal(publisher, plain, tmp_path)

    assert isinstance(error, TooLarge)
    assert error.code == "sample_too_large"


def test_publisher_sends_without_end_and_is_cut_off(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path
):
    def endless(handler: _Handler, _body: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(bytes(1 << 16))
        except OSError:
            pass

    publisher.reply = endless

    assert refusal(publisher, plain, tmp_path).code == "sample_too_large"


def test_publisher_compresses_and_nothing_is_unpacked(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path
):
    publisher.reply = lambda handler, body: handler.send(
        gzip.compress(body), content_encoding="gzip"
    )

    error = refusal(publisher, plain, tmp_path)

    assert (error.code, error.got) == ("sample_unavailable", "'gzip' encoding")


def test_network_hangs_up_in_the_middle_and_nothing_half_written_stays(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path
):
    publisher.reply = lambda handler, body: handler.send(
        body[: len(body) // 2], content_length=str(len(body))
    )

    error = refusal(publisher, plain, tmp_path)

    assert isinstance(error, Unavailable)
    assert error.code == "sample_unavailable"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_publisher_redirects_to_another_host_and_nobody_follows(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path, status: int
):
    publisher.reply = lambda handler, _body: handler.send(
        b"", status=status, location="http://other.invalid/quote"
    )

    error = refusal(publisher, plain, tmp_path)

    assert error.code == "sample_unavailable"
    assert "http://other.invalid/quote" in (error.got or "")
    assert len(publisher.asked) == 1


def test_a_file_that_is_gone_is_named_with_its_address(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path
):
    publisher.files = {}

    error = refusal(publisher, plain, tmp_path)

    assert (error.code, error.got, error.exit_code) == ("sample_unavailable", "HTTP 404", 3)
    assert f"{publisher.url}/owner/name/{COMMIT}/data/quote" in error.detail


def test_a_server_that_is_not_there_is_said_so(plain: samples.Sample, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(Unavailable) as caught:
        samples.fetch_sample(plain, tmp_path, base_url=f"http://127.0.0.1:{port}")

    assert caught.value.code == "sample_unavailable"
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_is_said_so(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path
):
    (tmp_path / "samples").write_bytes(b"a file where the folder should be")

    with pytest.raises(Unavailable) as caught:
        fetch(publisher, plain, tmp_path)

    assert caught.value.code == "sample_unwritable"


def test_a_program_stopped_while_it_downloads_leaves_nothing(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path
):
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(publisher, plain, tmp_path, progress=stop)

    assert list(tmp_path.iterdir()) == []


def _answer() -> dict[str, Any]:
    log = (EVIDENCE.event_log or b"").decode()
    return {"quote": EVIDENCE.quote.hex(), "event_log": log, "report_data": "", "vm_config": ""}


def _collateral_with(**more: object) -> bytes:
    return json.dumps(COLLATERAL.to_json() | more).encode()


def test_an_answer_of_the_guest_agent_is_taken_apart(publisher: Publisher, tmp_path: Path):
    answer = json.dumps(_answer()).encode()
    sample = publish(publisher, formats.from_getquote, answer=answer, collateral=_collateral_with())

    folder = fetch(publisher, sample, tmp_path)

    assert (folder / "quote.bin").read_bytes() == EVIDENCE.quote
    assert (folder / "event_log.json").read_bytes() == EVIDENCE.event_log
    assert (folder / "getquote_response.json").read_bytes() == answer


def test_a_quote_as_numbers_and_a_tcb_info_are_taken_apart():
    tcb_info = {
        "event_log": json.loads(EVIDENCE.event_log or b""),
        "app_compose": (EVIDENCE.compose or b"").decode(),
    }

    files = formats.from_numbers(
        {
            "quote": json.dumps(list(EVIDENCE.quote)).encode(),
            "tcb_info": json.dumps(tcb_info).encode(),
            "collateral": _collateral_with(pck_certificate_chain="a chain"),
        }
    )

    assert files["quote.bin"] == EVIDENCE.quote
    assert json.loads(files["event_log.json"]) == tcb_info["event_log"]
    assert files["app-compose.json"] == EVIDENCE.compose
    assert Collateral.parse(files["collateral.json"]) == COLLATERAL


def _vendor_files() -> dict[str, bytes]:
    def der(chain: bytes) -> list[bytes]:
        found = re.findall(rb"-----BEGIN CERTIFICATE-----(.*?)-----END", chain, re.S)
        return [base64.b64decode(body) for body in found]

    def response(name: str, document: bytes, signature: bytes) -> bytes:
        return b'{"%s":%s,"signature":"%s"}' % (name.encode(), document, signature.hex().encode())

    pck_ca, root = der(COLLATERAL.pck_crl_issuer_chain)
    tcb_signing, _ = der(COLLATERAL.tcb_info_issuer_chain)
    return {
        "quote": EVIDENCE.quote,
        "root": root,
        "pck_ca": pck_ca,
        "tcb_signing": tcb_signing,
        "root_crl": COLLATERAL.root_ca_crl,
        "pck_crl": COLLATERAL.pck_crl,
        "tcb_info": response("tcbInfo", COLLATERAL.tcb_info, COLLATERAL.tcb_info_signature),
        "qe_identity": response(
            "enclaveIdentity", COLLATERAL.qe_identity, COLLATERAL.qe_identity_signature
        ),
    }


def test_the_vendors_files_make_the_same_collateral_byte_for_byte():
    files = formats.from_vendor_files(_vendor_files())

    written = Collateral.parse(files["collateral.json"])
    for name in ("tcb_info", "tcb_info_signature", "qe_identity", "root_ca_crl", "pck_crl"):
        assert getattr(written, name) == getattr(COLLATERAL, name)
    for name in ("pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain"):
        assert getattr(written, name).split() == getattr(COLLATERAL, name).split()


@pytest.mark.parametrize(
    ("convert", "files"),
    [
        (formats.plain, {"quote": b"", "collateral": b"[]"}),
        (formats.plain, {"quote": b"", "collateral": b"{}"}),
        (formats.from_getquote, {"answer": b"{}", "collateral": b"{}"}),
        (formats.from_getquote, {"answer": b'{"quote":"zz","event_log":""}', "collateral": b"{}"}),
        (formats.from_numbers, {"quote": b"[256]", "tcb_info": b"{}", "collateral": b"{}"}),
        (formats.from_numbers, {"quote": b'["a"]', "tcb_info": b"{}", "collateral": b"{}"}),
        (formats.from_numbers, {"quote": b"7", "tcb_info": b"{}", "collateral": b"{}"}),
        (formats.from_vendor_files, _vendor_files() | {"tcb_info": b'{"tcbInfo":{}}'}),
        (formats.from_vendor_files, _vendor_files() | {"qe_identity": b""}),
    ],
)
def test_a_file_of_another_form_is_refused(convert: Any, files: dict[str, bytes]):
    with pytest.raises(Malformed):
        convert(files)


@pytest.mark.parametrize("sample", samples.SAMPLES.values(), ids=lambda sample: sample.name)
def test_every_sample_is_pinned_by_full_commit_and_digest_under_a_free_licence(
    sample: samples.Sample,
):
    assert re.fullmatch(r"[a-z0-9-]+", sample.name)
    assert sample.at.tzinfo is UTC
    for origin in sample.sources.values():
        assert re.fullmatch(r"[0-9a-f]{40}", origin.commit)
        assert re.fullmatch(r"[0-9a-f]{64}", origin.sha256)
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", origin.repository)
        assert origin.licence in ("MIT", "Apache-2.0", "CC0-1.0")
        assert 0 < origin.size < 1 << 20
        assert ".." not in origin.path


def test_the_samples_are_enough_to_see_each_kind_of_answer():
    states = {(sample.kind, sample.expected) for sample in samples.SAMPLES.values()}

    assert {("tdx", "UpToDate"), ("tdx", "OutOfDate")} <= states
    assert any(sample.kind == "sgx" for sample in samples.SAMPLES.values())


@pytest.mark.parametrize(
    "sample",
    [sample for sample in samples.SAMPLES.values() if sample.vector],
    ids=lambda sample: sample.name,
)
def test_a_sample_pins_the_very_bytes_that_the_vectors_hold(sample: samples.Sample, vectors: Path):
    folder = vectors / str(sample.vector)
    role, name = (
        ("quote", "quote.bin")
        if "quote" in sample.sources
        else ("answer", "getquote_response.json")
    )

    data = (folder / name).read_bytes()

    assert sample.sources[role].sha256 == hashlib.sha256(data).hexdigest()
    assert sample.sources[role].size == len(data)


def test_a_name_that_is_none_lists_those_that_are():
    with pytest.raises(Usage) as caught:
        samples.named_sample("tdx-v6")

    assert "tdx-v5" in (caught.value.expected or "")


def _vectors(place: Path) -> Path:
    (place / "dcap" / "tdx-v4-b0c06f-uptodate").mkdir(parents=True)
    (place / "manifest.json").write_bytes(b"{}")
    return place


def test_vectors_are_found_where_the_variable_says_before_those_beside_the_checkout(tmp_path: Path):
    named = _vectors(tmp_path / "named")
    beside = _vectors(tmp_path / "shared" / "vectors")
    checkout = tmp_path / "checkout"

    both = {"TEEPROOF_VECTORS": str(named)}

    assert samples.find_vectors(both, project_root=checkout) == named
    assert samples.find_vectors({}, project_root=checkout) == beside
    assert samples.find_vectors({}, project_root=tmp_path / "a" / "b") is None
    assert samples.find_vectors({}) is None


def test_a_variable_that_names_nothing_is_an_error_and_no_reason_to_look_elsewhere(tmp_path: Path):
    _vectors(tmp_path / "shared" / "vectors")
    wrong = {"TEEPROOF_VECTORS": str(tmp_path / "nowhere")}

    with pytest.raises(Unavailable) as caught:
        samples.find_vectors(wrong, project_root=tmp_path / "checkout")

    assert caught.value.code == "vectors_missing"


def test_a_fetched_sample_is_found_before_the_vectors(
    publisher: Publisher, plain: samples.Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    vectors = _vectors(tmp_path / "vectors")
    plain = replace(plain, name="tdx-v4", vector="dcap/tdx-v4-b0c06f-uptodate")
    monkeypatch.setitem(samples.SAMPLES, "tdx-v4", plain)  # type: ignore[arg-type]
    environment = {"TEEPROOF_HOME": str(tmp_path), "TEEPROOF_VECTORS": str(vectors)}

    before = samples.find_sample("tdx-v4", environment)
    fetch(publisher, plain, tmp_path)
    after = samples.find_sample("tdx-v4", environment)

    assert before == vectors / "dcap" / "tdx-v4-b0c06f-uptodate"
    assert after == tmp_path / "samples" / "tdx-v4"


def test_a_sample_that_is_nowhere_is_none(tmp_path: Path):
    environment = {"TEEPROOF_HOME": str(tmp_path)}

    assert samples.find_sample("dstack-compose", environment) is None
    with pytest.raises(Usage):
        samples.find_sample("made-up", environment)

"""What a file is, what belongs together, and what is refused before it is read."""

from __future__ import annotations

import base64
import gzip
import json
import os
import socket
import tracemalloc
import zipfile
from datetime import UTC, datetime

import msgspec
import pytest

from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed, TooLarge, Unavailable, Usage
from teeproof.evidence.collect.simulated import SimulatedPlatform, reference_policy, simulate
from teeproof.evidence.files.bundles import gather
from teeproof.evidence.files.kinds import MAX_FILE_BYTES, identify
from teeproof.evidence.files.reading import read_pieces
from teeproof.evidence.policy import parse_policy
from teeproof.evidence.verify import verify
from tests.vectors import each

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLATFORM = SimulatedPlatform(bytes(range(32)))
GOOD = simulate("mr-config-v3", bytes(range(64)), platform=PLATFORM, now=NOW)
OTHER = simulate("another-app", bytes(range(64)), platform=PLATFORM, now=NOW)
COLLATERAL = json.dumps(GOOD.collateral.to_json()).encode()
RESPONSE = json.dumps({"quote": GOOD.quote.hex(), "event_log": GOOD.event_log.decode()}).encode()
VERDICT = strictjson.dumps(verify(GOOD, now=NOW).to_json()).encode()

SHAPES = {
    "tdx-quote": [
        GOOD.quote,
        GOOD.quote.hex().encode(),
        b"0x" + GOOD.quote.hex().upper().encode() + b"\n",
        base64.b64encode(GOOD.quote),
        base64.encodebytes(GOOD.quote),
    ],
    "collateral": [COLLATERAL, b" \n" + COLLATERAL],
    "event-log": [GOOD.event_log],
    "app-compose": [GOOD.compose],
    "mr-config": [GOOD.mr_config],
    "quote-response": [RESPONSE],
    "verdict": [VERDICT],
    "policy": [reference_policy(PLATFORM).encode(), b"debug = false"],
}


@pytest.mark.parametrize(
    ("kind", "data"), [(kind, data) for kind, forms in SHAPES.items() for data in forms]
)
def test_a_file_is_known_by_its_bytes_and_not_by_its_name(kind, data):
    for name in ("file", "quote.bin", "event_log.json", "policy.toml"):
        piece = identify(data, name=name)
        assert piece.kind == kind
    if kind == "tdx-quote":
        assert piece.data == GOOD.quote


@pytest.mark.parametrize("record", each("dcap"))
def test_every_real_bundle_is_gathered_whole(record):
    (bundle,) = gather([record.path])
    kinds = {kind for kind, _ in bundle.files}
    assert {"collateral"} < kinds
    assert bundle.evidence.quote == record.read("quote.bin")
    assert (bundle.evidence.event_log is not None) == (record.path / "event_log.json").exists()
    assert bundle.remarks == ()


def test_a_tpm_quote_is_named_and_refused():
    with pytest.raises(Malformed, match="a TPM quote"):
        identify(b"\xffTCG\x80\x18" + bytes(100))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 700,
        b"hello there",
        b"{}",
        b"[]",
        b'{"a": 1}',
        b"[1, 2]",
        b"abcdef",
        b"\xff" * 99,
    ],
)
def test_what_is_not_understood_is_an_error_that_lists_what_is(data):
    with pytest.raises(Malformed) as refused:
        identify(data)
    assert "a TDX or SGX quote" in refused.value.expected


@pytest.mark.parametrize(
    "data",
    [gzip.compress(GOOD.quote), b"PK\x03\x04" + bytes(30), b"\x28\xb5\x2f\xfd" + bytes(30)],
    ids=["gzip", "zip", "zstd"],
)
def test_host_cannot_make_the_verifier_unpack_anything(data):
    with pytest.raises(Malformed) as refused:
        identify(data)
    assert refused.value.got == "a compressed file: unpack it first"


def test_host_cannot_send_a_zip_bomb(tmp_path):
    bomb = tmp_path / "evidence.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("quote.bin", bytes(50 << 20))
    with pytest.raises(Malformed, match="nothing that teeproof understands"):
        gather([bomb])


def test_host_cannot_fill_the_memory_with_a_file_of_100_mb(tmp_path):
    file = tmp_path / "quote.bin"
    with file.open("wb") as sparse:
        sparse.truncate(100 << 20)
    with pytest.raises(TooLarge) as refused:
        gather([file])
    assert refused.value.got == f"{100 << 20} bytes"
    with pytest.raises(TooLarge):
        gather([tmp_path])


def test_host_cannot_pass_100_mb_as_bytes():
    with pytest.raises(TooLarge):
        identify(bytes(MAX_FILE_BYTES + 1))


@pytest.mark.parametrize("offset", [632, 632 + 4 + 128 + 2])
def test_host_cannot_claim_a_length_of_4_gb(tmp_path, offset):
    forged = bytearray(GOOD.quote)
    forged[offset : offset + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "quote.bin").write_bytes(forged)
    (bundle,) = gather([tmp_path / "quote.bin"])
    with pytest.raises(Malformed, match="malformed"):
        verify(bundle.evidence, now=NOW)


@pytest.mark.parametrize("size", [64, 65])
def test_a_quote_larger_than_64_kib_is_refused_and_one_of_64_is_not(size):
    data = GOOD.quote.ljust(size << 10, b"\0")
    if size == 64:
        assert identify(data).kind == "tdx-quote"
        return
    for form in (data, data.hex().encode(), base64.b64encode(data)):
        with pytest.raises(TooLarge, match="too large for a quote"):
            identify(form)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, '{"quote":' + "[" * 70 + "]" * 70 + "}"]
)
def test_host_cannot_nest_json_deeply(text):
    with pytest.raises(Malformed) as refused:
        identify(text.encode())
    assert refused.value.code in ("json_too_deep", "json_too_many")


def test_host_cannot_give_one_key_twice():
    with pytest.raises(Malformed) as refused:
        identify(b'{"quote": "00", "quote": "01"}')
    assert refused.value.code == "json_duplicate_key"


def test_a_toml_file_nested_deeply_is_refused():
    with pytest.raises(Error):
        identify(b"debug = " + b"[" * 50_000)


@pytest.mark.parametrize("name", ["notes.txt", "policy.toml"])
@pytest.mark.parametrize(
    "text",
    ["a." * 32_000 + "a = 1", "#\n[" + "a." * 32_000 + "a]", "debug = {" + "a." * 9_000 + "a=1}"],
)
def test_host_cannot_fill_the_memory_with_a_file_of_64_kb(name, text):
    tracemalloc.start()
    try:
        with pytest.raises(Malformed, match="nothing that teeproof understands"):
            identify(text.encode(), name=name)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


def test_host_cannot_keep_the_verifier_searching_for_ever():
    # A pattern that takes the square of its text's length would take a minute for each of these.
    for text in (b"AB" + b" " * 190_000 + b"!", b"A =" * 60_000, b"0x" + b"a " * 90_000 + b"!"):
        with pytest.raises(Malformed, match="nothing that teeproof understands"):
            identify(text)
    spread = b" \n".join(bytes([byte]) for byte in base64.b64encode(GOOD.quote))
    assert identify(b"\t" + spread + b" " * 100_000).data == GOOD.quote


def test_host_cannot_make_the_verifier_wait_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "quote.bin")
    with pytest.raises(Usage, match="not a regular file"):
        gather([tmp_path / "quote.bin"])
    with pytest.raises(Usage, match="not a regular file"):
        gather([tmp_path])


def test_a_socket_and_a_device_are_not_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        with pytest.raises(Error):
            gather([tmp_path / "s"])
    with pytest.raises(Usage, match="not a regular file"):
        gather([tmp_path.__class__("/dev/zero")])


def folder_of(tmp_path, evidence=GOOD, name="evidence"):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "quote.bin").write_bytes(evidence.quote)
    (folder / "event_log.json").write_bytes(evidence.event_log)
    (folder / "collateral.json").write_bytes(COLLATERAL)
    (folder / "app-compose.json").write_bytes(evidence.compose)
    if evidence.mr_config:
        (folder / "mr_config.json").write_bytes(evidence.mr_config)
    return folder


def test_host_cannot_send_the_verifier_round_in_circles(tmp_path):
    folder = folder_of(tmp_path)
    (folder / "again").symlink_to(folder)
    (folder / "loop").symlink_to(folder / "loop")
    with pytest.raises(Unavailable, match="loop"):
        gather([folder])
    (folder / "loop").unlink()
    (bundle,) = gather([folder])
    assert bundle.ignored == (("again", "a directory"),)


def test_a_directory_with_thousands_of_files_is_refused(tmp_path):
    for number in range(65):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(Usage, match="too many files"):
        gather([tmp_path])


def test_a_directory_is_one_bundle_and_says_what_it_ignored(tmp_path):
    folder = folder_of(tmp_path)
    (folder / "README.md").write_text("what this is about\n")
    (folder / ".hidden").write_text("nothing")
    (folder / "policy.toml").write_text("debug = false\n")
    (folder / "verdict.json").write_bytes(VERDICT)
    (bundle,) = gather([folder])
    assert bundle.evidence == good_named(bundle.name)
    assert dict(bundle.ignored) == {
        "README.md": 'text that begins with "what this is"',
        "policy.toml": "a policy comes from you, not from the evidence: name it with --policy",
        "verdict.json": "a saved verdict proves nothing: the evidence is verified anew",
    }


def good_named(name):
    return msgspec.structs.replace(GOOD, name=name)


@pytest.mark.parametrize("name", ["event_log.json", "quote.bin", "collateral.json"])
def test_host_cannot_hide_a_piece_by_spoiling_it(tmp_path, name):
    folder = folder_of(tmp_path)
    (folder / name).write_bytes(b'{"a": 1, "a": 2}')
    with pytest.raises(Malformed):
        gather([folder])


def test_two_different_quotes_in_a_directory_are_an_error_and_two_equal_ones_are_not(tmp_path):
    folder = folder_of(tmp_path)
    (folder / "response.json").write_bytes(RESPONSE)
    (bundle,) = gather([folder])
    assert len(bundle.files) == 6
    (folder / "other.bin").write_bytes(OTHER.quote)
    with pytest.raises(Usage, match="two different quotes"):
        gather([folder])


def test_two_different_event_logs_in_a_directory_are_an_error(tmp_path):
    folder = folder_of(tmp_path)
    (folder / "second.json").write_bytes(OTHER.event_log)
    with pytest.raises(Usage, match="a second, different event log"):
        gather([folder])


def test_loose_files_with_one_quote_are_one_bundle(tmp_path):
    folder = folder_of(tmp_path)
    (bundle,) = gather(sorted(folder.iterdir()))
    assert bundle.evidence == good_named("quote.bin")


def test_of_two_quotes_each_gets_what_fits_it_and_both_share_the_collateral(tmp_path):
    one, two = folder_of(tmp_path, GOOD, "one"), folder_of(tmp_path, OTHER, "two")
    files = [one / "quote.bin", two / "quote.bin", one / "collateral.json"]
    files += [two / "event_log.json", one / "event_log.json", two / "app-compose.json"]
    files += [one / "app-compose.json", one / "mr_config.json"]
    left, right = gather(files)
    assert left.evidence == good_named(str(one / "quote.bin"))
    assert right.evidence.event_log == OTHER.event_log
    assert right.evidence.compose == OTHER.compose
    assert right.evidence.collateral == GOOD.collateral
    assert right.evidence.mr_config is None
    policy = parse_policy(reference_policy(PLATFORM))
    assert verify(left.evidence, now=NOW, policy=policy).ok


def test_a_log_that_fits_none_of_several_quotes_is_an_error(tmp_path):
    one, two = folder_of(tmp_path, GOOD, "one"), folder_of(tmp_path, OTHER, "two")
    stray = tmp_path / "stray.json"
    stray.write_bytes(simulate("event-log-v2", bytes(64), platform=PLATFORM, now=NOW).event_log)
    with pytest.raises(Usage, match="fits none of the quotes"):
        gather([one / "quote.bin", two / "quote.bin", stray])


def test_a_log_that_fits_several_quotes_is_an_error(tmp_path):
    one = folder_of(tmp_path, GOOD, "one")
    same = simulate("mr-config-v3", bytes(64), platform=PLATFORM, now=NOW)
    two = folder_of(tmp_path, same, "two")
    with pytest.raises(Usage, match="fits several quotes"):
        gather([one / "quote.bin", two / "quote.bin", one / "event_log.json"])


def test_files_without_a_quote_are_an_error_that_names_them(tmp_path):
    folder = folder_of(tmp_path)
    with pytest.raises(Usage, match="there is no quote") as refused:
        gather([folder / "collateral.json"])
    assert refused.value.got == "collateral.json (Intel collateral)"
    with pytest.raises(Usage) as refused:
        gather([tmp_path])
    assert refused.value.got == "evidence (a directory)"
    (tmp_path / "empty").mkdir()
    with pytest.raises(Usage, match="there is no quote"):
        gather([tmp_path / "empty"])


def test_a_saved_verdict_is_no_evidence(tmp_path):
    file = tmp_path / "verdict.json"
    file.write_bytes(VERDICT)
    quote = tmp_path / "quote.bin"
    quote.write_bytes(GOOD.quote)
    with pytest.raises(Usage, match="no evidence"):
        gather([quote, file])


def test_a_response_with_another_report_data_beside_its_quote_is_remarked_upon(tmp_path):
    answer = json.loads(RESPONSE)
    honest, lying = tmp_path / "honest.json", tmp_path / "lying.json"
    honest.write_text(json.dumps(answer | {"report_data": bytes(range(64)).hex()}))
    lying.write_text(json.dumps(answer | {"report_data": "00" * 64, "mrtd": "11" * 48}))
    assert gather([honest])[0].remarks == ()
    remarks = gather([lying])[0].remarks
    assert [remark.split(" another ")[1].split()[0] for remark in remarks] == [
        "report_data",
        "mrtd",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        {"quote": "zz"},
        {"quote": "00"},
        {"quote": GOOD.quote.hex(), "event_log": 7},
        {"quote": GOOD.quote.hex()[:-1]},
    ],
)
def test_a_broken_response_is_malformed(tmp_path, answer):
    file = tmp_path / "response.json"
    file.write_text(json.dumps(answer))
    with pytest.raises(Malformed):
        verify(gather([file])[0].evidence, now=NOW)


def test_dstack_s_versioned_attestation_is_read(vectors):
    for name in ("guest_agent_attestation.bin", "tdx-lite-attestation.json"):
        (bundle,) = gather([vectors / "dstack/fixtures" / name])
        assert bundle.evidence.event_log
        assert bundle.evidence.quote[:2] == b"\x04\x00"


def test_a_certificate_without_a_quote_is_not_evidence():
    with pytest.raises(Malformed, match="nothing that teeproof understands") as refused:
        identify(PLATFORM.root_der)
    assert refused.value.got == "a certificate that carries no quote"


def test_read_pieces_of_a_directory_are_those_that_are_understood(tmp_path):
    folder = folder_of(tmp_path)
    (folder / "notes").write_text("some words here")
    assert len(read_pieces([folder])) == 5
    (tmp_path / "none").mkdir()
    with pytest.raises(Usage, match="holds nothing"):
        read_pieces([tmp_path / "none"])

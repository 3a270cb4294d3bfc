"""The archive of what AMD and NVIDIA said: verified in and out, whole or not at all, by time."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64encode
from datetime import timedelta
from pathlib import Path

import pytest

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error, Malformed, NotAuthentic, Unavailable
from teeproof.evidence.kept.amd import above
from teeproof.evidence.kept.record import KINDS, Kind, Record, Said, made_of
from teeproof.evidence.kept.records import Records
from teeproof.evidence.kept.serving import certificates_for
from teeproof.evidence.nvidia.policy import NVIDIA_RIM_ROOT
from teeproof.evidence.sev_snp.certificates import parse_blocks, parse_certificates
from teeproof.evidence.simulated.nvidia import answer
from teeproof.evidence.simulated.snp.pki import SnpPki
from tests.evidence.fetch.amd_scene import GENOA, MILAN, TURIN
from tests.evidence.fetch.nvidia_scene import VBIOS_ID, VENDOR, rims
from tests.evidence.scenes import NOW, PLATFORM, flipped

PKI = PLATFORM.snp
AT = int(NOW.timestamp())
DAY = 86400


def _key(chip=MILAN, pki: SnpPki = PKI) -> dict[str, bytes]:
    return dict(zip(("key", "authority", "root"), pki.vcek(chip).chain, strict=True))


def _list(days: int = 0, *, revoked: tuple[int, ...] = ()) -> dict[str, bytes]:
    issued = NOW + timedelta(days)
    return {
        "list": PKI.crl(revoked=revoked, issued=issued),
        "authority": PKI.authority("VCEK"),
        "root": PKI.root_of("Milan"),
    }


def _answer(days: int = 0) -> dict[str, bytes]:
    der = answer(VENDOR, VENDOR.family, VENDOR.device_root, now=NOW + timedelta(days))
    return {
        "answer": der,
        "certificate": VENDOR.family.der,
        "issuer": VENDOR.device_root.der,
    }


EACH: dict[Kind, dict[str, bytes]] = {
    "amd-key": _key(),
    "amd-crl": _list(),
    "rim": {"manifest": rims()[0]},
    "ocsp": _answer(),
}


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "archive")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_added_is_found_again_byte_for_byte(kind: Kind, records: Records) -> None:
    record = records.add(kind, EACH[kind])
    assert records.load(record.id).parts == EACH[kind]
    assert records.survey() == ([record], [])
    (found,) = records.find(kind, record.subject, at=record.begins).found
    assert (found.record, records.fault(record)) == (record, None)
    before = {p: p.stat().st_mtime_ns for p in records.directory.rglob("*")}
    assert records.add(kind, EACH[kind]) == record
    assert {p: p.stat().st_mtime_ns for p in records.directory.rglob("*")} == before


@pytest.mark.parametrize("kind", KINDS)
def test_host_no_byte_of_a_part_can_be_changed_unnoticed(kind: Kind, records: Records) -> None:
    record = records.add(kind, EACH[kind])
    choose = random.Random(7)
    for name, content in EACH[kind].items():
        for at in (0, 4, len(content) // 2, len(content) - 1, choose.randrange(len(content))):
            changed = EACH[kind] | {name: flipped(content, at)}
            digest = record.blobs[name].removeprefix("sha256:")
            blob = records.directory / "blobs" / digest[:2] / digest
            blob.write_bytes(changed[name])
            assert records.find(kind, record.subject, at=record.begins).found == ()
            assert records.fault(record) is not None
            blob.write_bytes(content)
    assert records.fault(record) is None


@pytest.mark.parametrize("kind", KINDS)
def test_network_what_does_not_hold_is_not_kept(kind: Kind, records: Records) -> None:
    refused = 0
    for name, content in EACH[kind].items():
        for at in range(5, len(content), max(1, len(content) // 9)):
            try:
                records.describe(kind, EACH[kind] | {name: flipped(content, at)})
            except (Malformed, NotAuthentic):
                refused += 1
    assert refused >= 9
    for parts in ({}, EACH[kind] | {"more": b""}, {**EACH[kind], next(iter(EACH[kind])): b""}):
        with pytest.raises((Malformed, NotAuthentic)):
            records.add(kind, parts)
    with pytest.raises(Malformed):
        records.add(kind, dict.fromkeys(EACH[kind], b"0" * (257 << 10)))
    assert not records.directory.exists()


def test_network_parts_of_different_vendors_do_not_go_together(records: Records) -> None:
    stranger = SnpPki(b"\x77" * 32)
    for mixed in (
        _key() | {"root": stranger.root},
        _key() | {"authority": stranger.authority("VCEK")},
        _key() | {"authority": PKI.root_of("Milan")},
        _key() | {"key": PKI.authority("VCEK")},
        _key(GENOA) | {"key": _key()["key"]},
    ):
        with pytest.raises((Malformed, NotAuthentic)):
            records.add("amd-key", mixed)
    for wrong in (
        _list() | {"root": stranger.root},
        _list() | {"authority": _key()["key"]},
        _list() | {"authority": stranger.authority("VCEK")},
    ):
        with pytest.raises((Malformed, NotAuthentic)):
            records.add("amd-crl", wrong)
    for about in (
        _answer() | {"certificate": VENDOR.provisioner.der},
        _answer() | {"issuer": VENDOR.family.der},
        _answer() | {"certificate": VENDOR.device_root.der},
    ):
        with pytest.raises((Malformed, NotAuthentic)):
            records.add("ocsp", about)


def test_a_key_is_found_by_chip_product_and_firmware(records: Records) -> None:
    made = [records.add("amd-key", _key(chip)) for chip in (MILAN, GENOA, TURIN)]
    for record in made:
        about = {name: record.subject[name] for name in ("chip", "product", "tcb", "signer")}
        assert [k.record for k in records.find("amd-key", about, at=AT).found] == [record]
        assert records.find("amd-key", about | {"tcb": "00" * 8}, at=AT).found == ()
    assert made[0].subject["chip"] == named(sha256(MILAN.hwid))
    assert made[2].subject["chip"] == named(sha256(TURIN.hwid.ljust(64, b"\0")))


def test_the_list_that_was_in_force_is_chosen_and_one_that_revokes_stays(records: Records) -> None:
    old, new = (records.add("amd-crl", _list(days)) for days in (0, 170))
    about = {"authority": old.subject["authority"], "key": old.subject["key"]}

    def at(day: int) -> list[Record]:
        return [k.record for k in records.find("amd-crl", about, at=AT + day * DAY).found]

    assert at(-1) == []
    assert at(0) == at(169) == [old]
    assert at(170) == at(349) == [new]
    assert at(351) == []
    assert [
        k.record
        for k in records.find("amd-crl", about, at=AT + 351 * DAY, most=9, outdated=True).found
    ] == [new, old]
    revoking = records.add("amd-crl", _list(175, revoked=(65537,)))
    assert revoking.subject["says"] == "revoked"
    assert at(175) == [revoking]
    assert at(400) == [revoking]
    assert at(170) == [new]


def test_host_an_entry_that_says_something_else_than_its_parts_is_passed_over(
    records: Records,
) -> None:
    record = records.add("ocsp", _answer())
    place = records.directory / "records" / (record.id.removeprefix("sha256:") + ".json")
    good = place.read_text()
    for field, value in (
        ("ends", record.ends + 10**6),
        ("begins", 0),
        ("root", "sha256:" + "00" * 32),
        ("subject", record.subject | {"says": "superseded"}),
        ("kind", "rim"),
        ("blobs", record.blobs | {"answer": record.blobs["issuer"]}),
        ("blobs", record.blobs | {"answer": "sha256:../../../../etc/passwd"}),
        ("ends", 10**15),
        ("more", 1),
    ):
        place.write_text(json.dumps(json.loads(good) | {field: value}))
        looked = records.find("ocsp", {"issuer": record.subject["issuer"]}, at=AT)
        assert looked.found == ()
        entries, faults = records.survey()
        assert faults or records.fault(entries[0]) is not None
    place.write_text(good)
    assert records.fault(record) is None


def test_host_one_broken_file_does_not_keep_a_good_one_from_being_found(records: Records) -> None:
    record = records.add("amd-key", _key())
    folder = records.directory / "records"
    (folder / "zz.json").mkdir()
    (folder / f"{'00' * 32}.json").write_text("{}")
    looked = records.find("amd-key", {"product": "Milan"}, at=AT)
    assert [kept.record for kept in looked.found] == [record]
    assert sorted(fault.name for fault in looked.passed_over) == [f"{'00' * 32}.json", "zz.json"]


def test_an_archive_that_does_not_exist_is_empty_and_an_unknown_id_is_said(
    records: Records,
) -> None:
    assert records.survey() == ([], [])
    assert records.find("rim", {}, at=AT).found == ()
    assert not records.directory.exists()
    with pytest.raises(Unavailable) as caught:
        records.load("sha256:" + "00" * 32)
    assert caught.value.code == "endorsements_unknown"
    for wrong in ("", "sha256:../x", "sha256:" + "0" * 63 + "/"):
        with pytest.raises(Malformed):
            records.load(wrong)


def test_a_manifests_id_is_kept_beside_it_and_is_no_free_text(records: Records) -> None:
    record = records.add("rim", {"manifest": rims()[1], "id": VBIOS_ID.encode()})
    assert record.subject["id"] == VBIOS_ID
    for name in (b"", b"a b", b"../x", b"\xff", b"x" * 200, VBIOS_ID.lower().encode()):
        with pytest.raises(Malformed):
            records.add("rim", {"manifest": rims()[1], "id": name})


def test_two_records_never_share_an_id() -> None:
    records = Records(Path("/nowhere"))
    one = records.describe("amd-key", _key())
    other = records.describe("amd-key", _key(GENOA))
    assert one.id != other.id
    same = Said(subject={}, root="", window=(0, 1))
    assert made_of("rim", {"a": b"bc"}, same).id != made_of("rim", {"ab": b"c"}, same).id
    assert made_of("rim", {"a": b""}, same).id != made_of("ocsp", {"a": b""}, same).id


# Processes ----------------------------------------------------------------------------------------

_ADDING = """
import json, sys
from base64 import b64decode
from pathlib import Path
from teeproof.evidence.kept.records import Records
given = json.loads(Path(sys.argv[2]).read_text())
records = Records(Path(sys.argv[1]))
for kind, parts in given:
    records.add(kind, {name: b64decode(text) for name, text in parts.items()})
"""


def _many() -> list[tuple[Kind, dict[str, bytes]]]:
    made: list[tuple[Kind, dict[str, bytes]]] = [("amd-crl", _list(day)) for day in range(6)]
    return made + list(EACH.items())


def _whole(records: Records) -> list[Record]:
    entries, faults = records.survey()
    assert faults == []
    for entry in entries:
        assert records.fault(entry) is None
    return entries


def test_two_processes_may_add_at_once(records: Records, tmp_path: Path) -> None:
    given = tmp_path / "given.json"
    coded = [
        (kind, {name: b64encode(data).decode() for name, data in parts.items()})
        for kind, parts in _many()
    ]
    given.write_text(json.dumps(coded))
    command = [sys.executable, "-c", _ADDING, str(records.directory), str(given)]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    assert len(_whole(records)) == len({records.describe(*each).id for each in _many()})


def test_host_a_process_that_is_killed_while_adding_leaves_nothing_half_written(
    records: Records,
) -> None:
    given = _many()
    for each in given:
        records.describe(*each)  # what is remembered from here on makes the writing the whole work
    choose = random.Random(11)
    killed = 0
    for _ in range(16):
        shutil.rmtree(records.directory, ignore_errors=True)
        child = os.fork()
        if child == 0:  # not a new interpreter each time: only the writing matters
            for each in given:
                records.add(*each)
            os._exit(0)
        time.sleep(choose.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        _, how = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(how)
        _whole(records)
    assert killed > 0
    with pytest.raises(Error):
        records.load("sha256:" + "11" * 32)
    assert records.add(*given[0]) in _whole(records)


# Real ones ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("h100-535.86.09/vbios_rim.swidtag", ("GH100", "96.00.5E.00.01")),
        ("roots-and-rims/driver_rim_550.144.03.xml", ("GH100", "550.144.03")),
        ("nvswitch-ls10/rim.xml", ("LS10", "96.10.55.00.01")),
    ],
)
def test_nvidias_own_manifests_are_kept_by_product_and_version(
    name: str, subject: tuple[str, str], records: Records, vectors: Path
) -> None:
    record = records.add("rim", {"manifest": (vectors / "nvidia" / name).read_bytes()})
    assert (record.subject["product"], record.subject["version"]) == subject
    assert record.root == NVIDIA_RIM_ROOT
    assert record.begins < record.ends


@pytest.mark.parametrize(
    "name",
    [
        "nvswitch-ls10/rim_invalid_signature.xml",
        "roots-and-rims/driver_rim_bad_signature.xml",
        "roots-and-rims/driver_rim_bad_chain.xml",
        "h100-535.86.09/driver_rim_tampered.xml",
    ],
)
def test_network_nvidias_manifests_that_somebody_changed_are_not_kept(
    name: str, records: Records, vectors: Path
) -> None:
    with pytest.raises((Malformed, NotAuthentic)):
        records.add("rim", {"manifest": (vectors / "nvidia" / name).read_bytes()})
    assert not records.directory.exists()


@pytest.mark.parametrize("name", ["milan-virtee", "milan-vlek-trustee", "milan-google-debug"])
def test_amds_own_certificates_are_kept(name: str, records: Records, vectors: Path) -> None:
    folder = vectors / "snp" / name
    (leaf,) = (path.read_bytes() for path in folder.glob("v?ek.der"))
    ders, _ = parse_blocks((folder / "chain.pem").read_bytes())
    kept = parse_certificates([leaf, *ders])
    path = above(kept[0], kept)
    assert path is not None
    parts = {"key": leaf, "authority": path[0].der, "root": path[1].der}
    record = records.add("amd-key", parts)
    assert record.subject["signer"] == ("VLEK" if "vlek" in name else "VCEK")
    report = (folder / "report.bin").read_bytes()
    served = certificates_for(report, None, records, at=record.begins)
    assert [each.id for each in served.records] == [record.id]
    assert report[0x1A0:0x1E0].hex() not in str(record)

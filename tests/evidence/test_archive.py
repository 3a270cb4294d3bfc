"""The archive: by content, never half-written, and the right set for each time."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error, Malformed, NotAuthentic, Unavailable
from teeproof.evidence.archive import Archive
from teeproof.evidence.endorsements import FIELDS, Collateral
from teeproof.evidence.entries import Entry, describe, in_order, require_held
from teeproof.evidence.files.fitting import platform_of
from teeproof.evidence.policy import INTEL_ROOT
from teeproof.evidence.record import Platform
from teeproof.evidence.simulated.collateral import Edition, publish
from teeproof.evidence.simulated.platform import SimulatedPlatform
from tests.evidence.scenes import NOW, PLATFORM, collateral, evidence, failures, judge, resigned
from tests.vectors import Record, each

FMSPC = "53494d000000"
OURS = Platform("TDX", FMSPC, "platform", PLATFORM.root_fingerprint)
DAY = 86400
MIDNIGHT = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())


def _of_day(days: int, *, evaluation: int = 20) -> Collateral:
    """Return what the vendor published so many days after the usual day."""
    edition = Edition.at(NOW + timedelta(days))
    return publish(
        PLATFORM.pki,
        Edition(
            tcb_info=edition.tcb_info,
            qe_identity=edition.qe_identity,
            root_crl=edition.root_crl,
            pck_crl=edition.pck_crl,
            evaluation=evaluation,
        ),
    )


def _files(directory: Path) -> dict[str, bytes]:
    found = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


def _looked_up(archive: Archive, at: int) -> Collateral | None:
    return archive.find(OURS, at=at).collateral


def _find(archive: Archive, at: int) -> str | None:
    found = _looked_up(archive, at)
    return found.id if found else None


def _path(archive: Archive, entry: Entry) -> Path:
    return archive.directory / "sets" / (entry.id.removeprefix("sha256:") + ".json")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "endorsements")


def test_what_is_added_is_found_again_byte_for_byte(archive: Archive) -> None:
    entry = archive.add(collateral())
    assert entry == describe(collateral())
    assert (entry.tee, entry.fmspc, entry.ca) == ("TDX", FMSPC, "platform")
    assert entry.evaluation_number == 20
    assert (entry.begins, entry.ends) == (MIDNIGHT, MIDNIGHT + 30 * DAY - 1)
    assert archive.load(entry.id) == collateral()
    assert list(archive.entries()) == [entry]
    assert _find(archive, MIDNIGHT) == entry.id


@pytest.mark.parametrize("record", each("dcap"))
def test_intels_own_endorsements_are_kept_and_found(record: Record, archive: Archive) -> None:
    given_ = Collateral.parse(record.read("collateral.json"))
    entry = archive.add(given_)
    assert archive.load(entry.id) == given_
    assert entry.tee in {"TDX", "SGX"}
    assert entry.begins < entry.ends
    found = archive.find(platform_of(record.read("quote.bin")), at=entry.ends)
    assert (found.collateral, found.passed_over) == (given_, ())
    assert archive.fault(entry) is None


def test_every_file_is_named_by_its_content(archive: Archive) -> None:
    entry = archive.add(collateral())
    for name, content in _files(archive.directory / "blobs").items():
        assert named(sha256(content)) == "sha256:" + Path(name).name
        assert Path(name).parent.name == Path(name).name[:2]
    assert list(_files(archive.directory / "sets")) == [entry.id.removeprefix("sha256:") + ".json"]


def test_adding_a_set_again_changes_nothing(archive: Archive) -> None:
    archive.add(collateral())
    before = {path: path.stat().st_mtime_ns for path in archive.directory.rglob("*")}
    archive.add(collateral())
    assert {path: path.stat().st_mtime_ns for path in archive.directory.rglob("*")} == before


def test_host_a_blob_without_end_is_replaced_and_not_read(archive: Archive) -> None:
    entry = archive.add(collateral())
    blob = next(archive.directory.glob("blobs/*/*"))
    os.truncate(blob, 1 << 42)
    assert archive.fault(entry) is not None
    archive.add(collateral())
    assert archive.fault(entry) is None


def test_what_two_sets_share_is_stored_once(archive: Archive) -> None:
    archive.add(collateral())
    one = len(_files(archive.directory / "blobs"))
    archive.add(_of_day(0, evaluation=21))
    # Only the two documents that carry the number differ, and their signatures.
    assert len(_files(archive.directory / "blobs")) == one + 4
    assert len(_files(archive.directory / "sets")) == 2


# Which set for which time -----------------------------------------------------------------------


def test_the_set_that_was_in_force_is_chosen(archive: Archive) -> None:
    old, new = archive.add(_of_day(0)).id, archive.add(_of_day(40)).id
    assert _find(archive, MIDNIGHT - 1) is None
    assert _find(archive, MIDNIGHT) == old
    assert _find(archive, MIDNIGHT + 30 * DAY - 1) == old
    # Between the two none is in force: the one that expired last can say so.
    assert _find(archive, MIDNIGHT + 30 * DAY) == old
    assert _find(archive, MIDNIGHT + 40 * DAY - 1) == old
    assert _find(archive, MIDNIGHT + 40 * DAY) == new
    assert _find(archive, MIDNIGHT + 400 * DAY) == new


def test_host_of_two_sets_in_force_the_one_with_the_higher_evaluation_number_is_chosen(
    archive: Archive,
) -> None:
    newer = archive.add(_of_day(-5, evaluation=21)).id
    archive.add(_of_day(0, evaluation=20))
    assert _find(archive, MIDNIGHT + DAY) == newer
    newest = archive.add(_of_day(1, evaluation=21)).id
    assert _find(archive, MIDNIGHT + DAY) == newest
    assert _find(archive, MIDNIGHT + DAY - 1) == newer


def test_nothing_is_found_for_another_platform(archive: Archive) -> None:
    archive.add(collateral())
    assert archive.find(OURS, at=MIDNIGHT).collateral is not None
    for other in (
        OURS._replace(tee="SGX"),
        OURS._replace(fmspc="000000000000"),
        OURS._replace(ca="processor"),
        OURS._replace(root=INTEL_ROOT),
    ):
        assert archive.find(other, at=MIDNIGHT).collateral is None


_DAYS = (-40, -25, -10, 0, 35, 80)


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """An archive of six sets: some overlap, and for some days there is none."""
    archive = Archive(tmp_path_factory.mktemp("stocked"))
    for day in _DAYS:
        archive.add(_of_day(day))
    return archive


@given(seconds=st.integers(-60 * DAY, 140 * DAY))
def test_what_is_found_is_in_force_or_nothing_stored_is(stocked: Archive, seconds: int) -> None:
    moment = MIDNIGHT + seconds
    found = _looked_up(stocked, moment)
    begun = [day for day in _DAYS if day * DAY <= seconds]
    if not begun:
        assert found is None
        return
    assert found is not None
    entry = describe(found)
    # All last for 30 days, so the newest that has begun is in force, or was last in force.
    assert entry.begins == MIDNIGHT + max(begun) * DAY
    assert (moment <= entry.ends) is (seconds < (max(begun) + 30) * DAY)


def test_old_evidence_verifies_as_of_its_time_and_is_refused_today_with_the_date(
    archive: Archive,
) -> None:
    archive.add(collateral())
    quote = evidence().quote
    then = _looked_up(archive, MIDNIGHT + DAY)
    assert judge(quote, endorsements=then).exit_code == 0
    today = datetime(2026, 11, 22, tzinfo=UTC)
    last = _looked_up(archive, int(today.timestamp()))
    verdict = judge(quote, endorsements=last, now=today)
    assert verdict.exit_code == 2
    check = verdict.check("collateral-dates")
    assert check.state == "failed"
    assert "expired on 2026-03-3" in check.detail
    assert "--at" in check.detail


def test_at_every_second_around_its_ends_a_set_in_force_is_one_that_verifies(
    archive: Archive,
) -> None:
    archive.add(collateral())
    (entry,) = archive.entries()
    for moment in (entry.begins, entry.begins + 1, entry.ends - 1, entry.ends):
        now = datetime.fromtimestamp(moment, UTC)
        assert judge(evidence(), now=now).exit_code == 0
    for moment in (entry.begins - 1, entry.ends + 1):
        now = datetime.fromtimestamp(moment, UTC)
        verdict = judge(evidence(), now=now)
        assert ("second-path-signatures", "paths_disagree") not in failures(verdict)
        assert verdict.exit_code == 2


# A hostile or broken disk -----------------------------------------------------------------------


@pytest.mark.parametrize("field", FIELDS)
def test_host_a_blob_that_was_changed_on_disk_is_refused(field: str, archive: Archive) -> None:
    entry = archive.add(collateral())
    digest = entry.blobs[field].removeprefix("sha256:")
    path = archive.directory / "blobs" / digest[:2] / digest
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(NotAuthentic) as caught:
        archive.load(entry.id)
    assert caught.value.code == "archive_changed"
    archive.add(collateral())  # heals it
    assert archive.load(entry.id) == collateral()
    path.unlink()
    with pytest.raises(Unavailable):
        archive.load(entry.id)


def _rewrite(archive: Archive, entry: Entry, **changes: object) -> None:
    path = _path(archive, entry)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _expect_fault(archive: Archive, name: str, why: str) -> None:
    """Check that the fault is named by a lookup, and that what is whole is found all the same."""
    good = archive.add(_of_day(0, evaluation=5))
    found = archive.find(OURS, at=MIDNIGHT + DAY)
    assert found.collateral is not None
    assert found.collateral.id == good.id
    (fault,) = found.passed_over
    assert fault.name == name
    assert why in fault.why


@pytest.mark.parametrize(
    "changes",
    [
        {"begins": 0},
        {"ends": 253402300798},
        {"root": INTEL_ROOT},
        {"evaluation_number": 99},
        {"fmspc": "000000000000"},
        {"tee": "SGX"},
        {"ca": "processor"},
    ],
    ids=str,
)
def test_host_an_entry_that_was_changed_on_disk_is_refused(
    changes: dict[str, object], archive: Archive
) -> None:
    entry = archive.add(collateral())
    _rewrite(archive, entry, **changes)
    with pytest.raises(NotAuthentic) as caught:
        archive.load(entry.id)
    assert caught.value.code == "archive_changed"
    assert archive.fault(entry) is not None
    if {"begins", "ends", "evaluation_number"} & set(changes):  # the others are not asked for now
        _expect_fault(archive, entry.id, "changed on disk")


def test_host_an_entry_that_names_the_parts_of_another_set_is_refused(archive: Archive) -> None:
    entry, other = archive.add(collateral()), archive.add(_of_day(1))
    _rewrite(archive, entry, blobs=other.blobs)
    with pytest.raises(NotAuthentic):
        archive.load(entry.id)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "sha256:" + "00" * 32},
        {"id": "sha256:../../../x"},
        {"id": 5},
        {"blobs": {}},
        {"begins": "yesterday"},
        {"begins": -1},
        {"ends": 253402300799},
        {"ends": 10**15},
        {"ends": 10**400},
        {"evaluation_number": 1 << 32},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_host_an_entry_of_a_wrong_form_is_reported_and_keeps_no_other_from_being_found(
    changes: dict[str, object], archive: Archive
) -> None:
    entry = archive.add(collateral())
    _rewrite(archive, entry, **changes)
    with pytest.raises(Malformed):
        archive.load(entry.id)
    assert archive.entries() == []
    _expect_fault(archive, _path(archive, entry).name, "not an entry")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"null", b"{}", b"[" * 70000])
def test_host_a_file_that_is_no_entry_is_reported(content: bytes, archive: Archive) -> None:
    (archive.directory / "sets").mkdir(parents=True)
    (archive.directory / "sets" / "notes.json").write_bytes(content)
    _expect_fault(archive, "notes.json", "not an entry")
    entries, faults = archive.survey()
    assert (len(entries), [fault.name for fault in faults]) == (1, ["notes.json"])


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nothing")])
def test_host_what_is_no_file_among_the_entries_stops_nothing(
    make: Callable[[Path], object], archive: Archive
) -> None:
    (archive.directory / "sets").mkdir(parents=True)
    make(archive.directory / "sets" / "zz\n\x1b[2J.json")
    _expect_fault(archive, "zz\\n\\x1b[2J.json", "")


def test_host_a_directory_in_the_place_of_a_blob_stops_nothing(archive: Archive) -> None:
    entry = archive.add(_of_day(0, evaluation=99))
    digest = entry.blobs["tcb_info"].removeprefix("sha256:")
    path = archive.directory / "blobs" / digest[:2] / digest
    path.unlink()
    path.mkdir()
    with pytest.raises(NotAuthentic) as caught:
        archive.load(entry.id)
    assert caught.value.code == "archive_changed"
    fault = archive.fault(entry)
    assert fault is not None
    assert fault.name == entry.id
    _expect_fault(archive, entry.id, "changed on disk")


# Whoever adds endorsements ----------------------------------------------------------------------


def _numbered(base: Collateral, number: int) -> Collateral:
    """Return the set with another evaluation number that nobody signed."""
    changes = {}
    for field in ("tcb_info", "qe_identity"):
        document = json.loads(getattr(base, field)) | {"tcbEvaluationDataNumber": number}
        changes[field] = json.dumps(document).encode()
    return base.replace(**changes)


def _unchecked(archive: Archive, given_: Collateral) -> Entry:
    """Lay a set into the archive as one can who writes to the disk."""
    entry = describe(given_)
    for name in FIELDS:
        digest = entry.blobs[name].removeprefix("sha256:")
        path = archive.directory / "blobs" / digest[:2] / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(getattr(given_, name))
    _path(archive, entry).parent.mkdir(parents=True, exist_ok=True)
    _path(archive, entry).write_text(json.dumps(msgspec.to_builtins(entry)))
    return entry


FORGED = _numbered(collateral(), 10**6)
OTHERS = SimulatedPlatform(b"\6" * 32).collateral(NOW + timedelta(1))
MIXED = [
    FORGED,
    *(collateral().replace(**{name: getattr(OTHERS, name)}) for name in FIELDS if "info" in name),
    *(collateral().replace(**{name: getattr(OTHERS, name)}) for name in FIELDS if "crl" in name),
]


@pytest.mark.parametrize("forged", MIXED)
def test_network_endorsements_that_nobody_signed_are_not_kept(
    forged: Collateral, archive: Archive
) -> None:
    with pytest.raises(NotAuthentic):
        archive.add(forged)
    assert not archive.directory.exists()


def test_host_unsigned_endorsements_with_a_huge_number_do_not_hide_the_good_ones(
    archive: Archive,
) -> None:
    entry = _unchecked(archive, FORGED)
    assert archive.load(entry.id) == FORGED
    fault = archive.fault(entry)
    assert fault is not None
    assert "signature of the TCB info does not hold" in fault.why
    assert _find(archive, MIDNIGHT) is None
    _expect_fault(archive, entry.id, "signature of the TCB info")


def test_network_a_simulator_of_ones_own_does_not_hide_the_good_ones(archive: Archive) -> None:
    # Anyone can sign such a set with a root of their own; then it is for that root's machines.
    theirs = archive.add(publish(SimulatedPlatform(b"\6" * 32).pki, Edition.at(NOW)))
    assert theirs.platform == OURS._replace(root=theirs.root)
    assert theirs.root != OURS.root
    ours = archive.add(collateral())
    assert _find(archive, MIDNIGHT) == ours.id
    assert archive.find(OURS, at=MIDNIGHT).passed_over == ()
    assert archive.find(theirs.platform, at=MIDNIGHT).collateral == archive.load(theirs.id)


def test_network_a_set_does_not_hold_under_a_root_that_it_does_not_hang_on() -> None:
    require_held(collateral(), root=OURS.root)
    with pytest.raises(NotAuthentic) as caught:
        require_held(collateral(), root=INTEL_ROOT)
    assert caught.value.code == "collateral_signature"


def test_of_several_sets_those_in_force_come_first_then_the_expired_then_the_coming() -> None:
    days = {day: describe(_of_day(day)) for day in (-90, -40, -20, 0, 5, 50)}
    ordered = in_order(days.values(), None, at=MIDNIGHT + DAY)
    assert ordered == [days[day] for day in (0, -20, -40, -90, 50, 5)]
    assert in_order(days.values(), OURS, at=MIDNIGHT + DAY) == ordered
    assert in_order(days.values(), OURS._replace(tee="SGX"), at=MIDNIGHT + DAY) == []


def test_a_file_that_does_not_claim_to_be_an_entry_is_left_alone(archive: Archive) -> None:
    entry = archive.add(collateral())
    (archive.directory / "sets" / ".new-abc").write_bytes(b"half a set")
    (archive.directory / "sets" / "README").write_bytes(b"mine")
    assert list(archive.entries()) == [entry]


@pytest.mark.parametrize(
    "name",
    [
        "", "x", "sha256:", "sha256:../../x", "sha256:" + "../" * 21 + "x",
        "sha256:" + "0" * 63 + "/", "sha256:" + "AB" * 32, "sha512:" + "00" * 32,
        "sha256:" + "00" * 32 + "\0",
    ],
)  # fmt: skip
def test_client_an_id_with_a_path_in_it_leads_nowhere(name: str, archive: Archive) -> None:
    archive.add(collateral())
    with pytest.raises(Malformed):
        archive.load(name)


def test_client_a_blob_name_with_a_path_in_it_leads_nowhere(archive: Archive) -> None:
    entry = archive.add(collateral())
    _rewrite(archive, entry, blobs=entry.blobs | {"pck_crl": "sha256:../../../../etc/passwd"})
    with pytest.raises(Malformed):
        archive.load(entry.id)


def test_an_unknown_id_says_how_to_list_the_known_ones(archive: Archive) -> None:
    with pytest.raises(Unavailable) as caught:
        archive.load("sha256:" + "00" * 32)
    assert caught.value.code == "endorsements_unknown"
    assert "endorsements list" in caught.value.detail


def test_an_archive_that_does_not_exist_yet_is_empty_and_is_not_made_by_reading(
    archive: Archive,
) -> None:
    assert list(archive.entries()) == []
    assert _find(archive, MIDNIGHT) is None
    assert not archive.directory.exists()


def test_a_directory_that_cannot_be_used_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for directory in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(Unavailable) as caught:
            Archive(directory).add(collateral())
        assert caught.value.code == "archive_unavailable"
        with pytest.raises(Unavailable):
            list(Archive(directory).entries())


def test_endorsements_that_cannot_be_read_are_not_kept(archive: Archive) -> None:
    for broken in (
        collateral().replace(pck_crl=b"no list"),
        collateral().replace(tcb_info=b"{}"),
        resigned(collateral(), qe_identity=lambda document: document.clear()),
    ):
        with pytest.raises(Malformed):
            archive.add(broken)
    assert not archive.directory.exists()


# Processes --------------------------------------------------------------------------------------

_ADDING = """
import sys
from pathlib import Path
from teeproof.evidence.archive import Archive
from teeproof.evidence.endorsements import Collateral
sets = [Collateral.parse(path.read_bytes()) for path in sorted(Path(sys.argv[2]).glob("*.json"))]
print("ready", flush=True)
for collateral in sets:
    Archive(Path(sys.argv[1])).add(collateral)
"""


def _adding(archive: Archive, sets: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _ADDING, str(archive.directory), str(sets)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _written(tmp_path: Path, count: int) -> tuple[Path, list[Collateral]]:
    given_ = [_of_day(day) for day in range(count)]
    folder = tmp_path / "given"
    folder.mkdir()
    for number, each_set in enumerate(given_):
        (folder / f"{number:02}.json").write_text(json.dumps(each_set.to_json()))
    return folder, given_


def _whole(archive: Archive) -> list[Entry]:
    """Return all entries after checking that nothing in the archive is half-written."""
    for path in (archive.directory / "blobs").rglob("[!.]*"):
        if path.is_file():
            assert named(sha256(path.read_bytes())) == f"sha256:{path.name}"
    entries = list(archive.entries())
    for entry in entries:
        assert archive.load(entry.id).id == entry.id
    return entries


def test_two_processes_may_add_at_once(archive: Archive, tmp_path: Path) -> None:
    folder, given_ = _written(tmp_path, 12)
    both = [_adding(archive, folder) for _ in range(2)]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    for process in both:
        assert process.stdout is not None
        process.stdout.close()
    assert {entry.id for entry in _whole(archive)} == {each_set.id for each_set in given_}


def test_host_a_process_that_is_killed_while_adding_leaves_nothing_half_written(
    archive: Archive,
) -> None:
    given_ = [_of_day(day) for day in range(12)]
    choose = random.Random(7)
    killed = 0
    for _ in range(24):
        shutil.rmtree(archive.directory, ignore_errors=True)
        child = os.fork()
        if child == 0:  # not a new interpreter each time: only the writing matters
            for each_set in given_:
                archive.add(each_set)
            os._exit(0)
        time.sleep(choose.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        _whole(archive)
    assert killed > 0
    archive.add(given_[0])
    assert given_[0].id in {entry.id for entry in _whole(archive)}


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_whatever_an_entry_holds_nothing_but_our_errors_come(content: bytes) -> None:
    directory = Path(os.environ["TEEPROOF_HOME"])
    archive = Archive(directory)
    name = "00" * 32
    (directory / "sets").mkdir(parents=True, exist_ok=True)
    (directory / "sets" / f"{name}.json").write_bytes(content)
    with pytest.raises(Error):
        archive.load(f"sha256:{name}")

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
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error, Malformed, NotAuthentic, Unavailable
from teeproof.evidence.archive import Archive, Entry, describe
from teeproof.evidence.endorsements import FIELDS, Collateral
from teeproof.evidence.simulated.collateral import Edition, publish
from tests.evidence.scenes import NOW, PLATFORM, collateral, evidence, failures, judge, resigned
from tests.vectors import Record, each

FMSPC = "53494d000000"
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


def _find(archive: Archive, at: int) -> str | None:
    found = archive.find(tee="TDX", fmspc=FMSPC, ca="platform", at=at)
    return found.id if found else None


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
    found = archive.find(tee=entry.tee, fmspc=entry.fmspc, ca=entry.ca, at=entry.ends)
    assert found == given_


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
    for tee, fmspc, ca in (
        ("SGX", FMSPC, "platform"),
        ("TDX", "000000000000", "platform"),
        ("TDX", FMSPC, "processor"),
    ):
        assert archive.find(tee=tee, fmspc=fmspc, ca=ca, at=MIDNIGHT) is None


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
    found = stocked.find(tee="TDX", fmspc=FMSPC, ca="platform", at=moment)
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
    then = archive.find(tee="TDX", fmspc=FMSPC, ca="platform", at=MIDNIGHT + DAY)
    assert judge(quote, endorsements=then).exit_code == 0
    today = datetime(2026, 11, 22, tzinfo=UTC)
    last = archive.find(tee="TDX", fmspc=FMSPC, ca="platform", at=int(today.timestamp()))
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
    entry = next(archive.entries())
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


def _rewrite(archive: Archive, entry: Entry, **changes: object) -> Path:
    path = archive.directory / "sets" / (entry.id.removeprefix("sha256:") + ".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"begins": 0},
        {"ends": 1 << 40},
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
    ],
    ids=str,
)
def test_host_an_entry_of_a_wrong_form_is_refused_and_not_passed_over(
    changes: dict[str, object], archive: Archive
) -> None:
    entry = archive.add(collateral())
    _rewrite(archive, entry, **changes)
    for read in (lambda: archive.load(entry.id), lambda: _find(archive, MIDNIGHT)):
        with pytest.raises(Malformed):
            read()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"null", b"{}", b"[" * 70000])
def test_host_a_file_that_is_no_entry_is_refused(content: bytes, archive: Archive) -> None:
    archive.add(collateral())
    (archive.directory / "sets" / "notes.json").write_bytes(content)
    with pytest.raises(Malformed):
        list(archive.entries())


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
    assert [process.wait(timeout=60) for process in both] == [0, 0]
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

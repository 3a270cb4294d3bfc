"""``verify`` as a whole: no I/O, no clock, no memory of what it saw before, in any thread."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import teeproof
from teeproof.core.errors import Malformed, TooLarge, Usage
from teeproof.evidence import crl, second_path, x509
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import Policy, load_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.tdx import verify as tdx
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify
from tests.evidence.scenes import (
    NOW,
    PLATFORM,
    REPORT_DATA,
    collateral,
    evidence,
    failures,
    judge,
    opt_in,
    reference,
    state,
)

replace = msgspec.structs.replace


def _forget() -> None:
    tdx.clear_caches()
    x509.clear_caches()
    crl.clear_caches()
    second_path.clear_caches()


# Arguments ----------------------------------------------------------------------------------------


def test_bytes_are_evidence_without_anything_that_explains_it() -> None:
    alone = verify(evidence().quote, policy=opt_in(), now=NOW, collateral=collateral())
    assert alone == verify(
        Evidence(quote=evidence().quote), policy=opt_in(), now=NOW, collateral=collateral()
    )
    assert alone.facts["application"] is None
    assert judge().facts["application"] is not None


def test_endorsements_that_are_given_come_before_those_that_came_along() -> None:
    other = PLATFORM.collateral(NOW - timedelta(1))
    assert judge().provenance.endorsements_digest == collateral().id
    assert judge(endorsements=other).provenance.endorsements_digest == other.id


def test_without_endorsements_something_is_missing_and_nothing_is_forged() -> None:
    verdict = judge(replace(evidence(), collateral=None))
    assert failures(verdict) == [("collateral-dates", "endorsements_missing")]
    assert verdict.exit_code == 3
    for name in ("pck-revocation", "tcb-info", "qe-identity", "collateral-platform", "tcb-level"):
        assert verdict.check(name).state == "not_checked"
    assert verdict.check("quote-signature").state == "passed"
    assert verdict.check("policy").state == "not_checked"
    assert verdict.provenance.endorsements_digest is None


def test_without_a_policy_the_usual_one_of_its_kind_applies() -> None:
    verdict = verify(evidence(), now=NOW)
    assert verdict.provenance.policy == "standard"
    assert verdict.provenance.policy_digest == load_policy("standard").digest
    assert failures(verdict) == [("simulated-root", "simulated_root_not_accepted")]


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(Usage):
        verify(evidence(), now=NOW.replace(tzinfo=None))


def test_the_same_moment_in_another_zone_gives_the_same_verdict() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    assert verify(evidence(), policy=opt_in(), now=elsewhere) == judge()
    assert judge().provenance.time == "2026-03-01T12:00:00Z"


@pytest.mark.parametrize(
    "now",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
    ids=str,
)
def test_at_no_time_whatever_does_it_crash(now: datetime) -> None:
    verdict = verify(evidence(), policy=reference(), now=now)
    assert verdict.exit_code == 2
    assert json.dumps(verdict.to_json())


@pytest.mark.parametrize("raw", [b"", b"x", b"\3\0", b"\4\0", b"\5\0", bytes(700), b"-----BEGIN"])
def test_what_is_no_quote_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        verify(raw, now=NOW)


def test_host_100_megabytes_are_refused() -> None:
    with pytest.raises(TooLarge):
        verify(evidence().quote + bytes(100 << 20), now=NOW)


def test_the_provenance_says_how_the_verdict_was_reached() -> None:
    how = judge(policy=reference()).provenance
    assert how.verifier == f"teeproof {teeproof.__version__}"
    assert how.second_path == second_path.NAME
    assert (how.policy, how.policy_digest) == (reference().name, reference().digest)
    assert how.roots_digest == reference().roots_digest
    assert how.endorsements_digest == collateral().id
    assert how.tcb_evaluation_number == 20
    assert how.time == "2026-03-01T12:00:00Z"


# No I/O, no clock ---------------------------------------------------------------------------------

_WATCHED = """
import json, sys, time, datetime
from pathlib import Path
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import Policy, load_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.verify import verify

folder = Path(sys.argv[1])
given = Evidence(
    quote=(folder / "quote").read_bytes(),
    event_log=(folder / "log").read_bytes(),
    compose=(folder / "compose").read_bytes(),
    collateral=Collateral.parse((folder / "collateral").read_bytes()),
)
now = datetime.datetime.fromisoformat(sys.argv[2])
policy = Policy(roots=(), simulated_roots=(sys.argv[3],))
standard = load_policy("standard")
if sys.argv[4] == "warm":  # modules that are imported when first used are files, too
    verify(given, policy=policy, now=now)
    for clear in sys.modules["teeproof.evidence.tdx.verify"].clear_caches,:
        clear()

def refuse(event, arguments):
    if event.split(".")[0] in ("open", "socket", "subprocess", "os", "shutil", "ctypes"):
        sys.stderr.write(f"touched {event} {arguments}\\n")
        import os
        os._exit(9)

def no_clock(*_):
    sys.stderr.write("asked the clock\\n")
    raise SystemExit(8)

for name in ("time", "time_ns", "monotonic", "localtime", "gmtime", "clock_gettime"):
    setattr(time, name, no_clock)

sys.addaudithook(refuse)
codes = [verify(given, policy=chosen, now=now).exit_code for chosen in (policy, standard)]
sys.stdout.write(json.dumps(codes))
"""


def test_verification_touches_no_file_no_network_and_no_clock(tmp_path: Path) -> None:
    given_ = evidence()
    assert given_.event_log is not None
    assert given_.compose is not None
    (tmp_path / "quote").write_bytes(given_.quote)
    (tmp_path / "log").write_bytes(given_.event_log)
    (tmp_path / "compose").write_bytes(given_.compose)
    (tmp_path / "collateral").write_text(json.dumps(collateral().to_json()))
    command = [sys.executable, "-c", _WATCHED, str(tmp_path), NOW.isoformat()]
    ran = subprocess.run(
        [*command, PLATFORM.root_fingerprint, "warm"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout) == [0, 4]


# Caches -------------------------------------------------------------------------------------------

_GIVEN: dict[str, Evidence] = {
    name: state(name)
    for name in (
        "up-to-date", "up-to-date-v5", "out-of-date", "revoked", "debug", "pck-revoked",
        "tcb-info-expired", "quote-body-flipped", "twin-certificate-signature",
        "td-relaunch-advised", "tdx-module-out-of-date", "collateral-missing", "impostor-root",
        "log-payload-forged", "qe-out-of-date",
    )
}  # fmt: skip
_POLICIES: dict[str, Policy] = {
    "opt in": opt_in(),
    "reference": reference(),
    "standard": load_policy("standard"),
    "pinned as a vendor's": Policy(roots=(PLATFORM.root_fingerprint,)),
}
_ENDORSEMENTS: dict[str, Collateral | None] = {
    "its own": None,
    "fresh": collateral(),
    "older": PLATFORM.collateral(NOW - timedelta(20)),
}
_TIMES = (NOW, NOW + timedelta(20), NOW + timedelta(200))
_SITUATIONS = list(product(_GIVEN, _POLICIES, _ENDORSEMENTS, _TIMES))
Situation = tuple[str, str, str, datetime]


def _run(situation: Situation) -> Verdict:
    name, policy, endorsements, now = situation
    return verify(
        _GIVEN[name], policy=_POLICIES[policy], collateral=_ENDORSEMENTS[endorsements], now=now
    )


def _cold(situation: Situation) -> Verdict:
    _forget()
    return _run(situation)


@given(st.lists(st.sampled_from(_SITUATIONS), min_size=2, max_size=6))
@settings(max_examples=60)
def test_what_was_verified_before_changes_nothing(situations: list[Situation]) -> None:
    cold = [_cold(situation) for situation in situations]
    _forget()
    warm = [_run(situation) for situation in [*situations, *reversed(situations)]]
    assert warm == [*cold, *reversed(cold)]


def test_host_evidence_that_shares_all_but_one_thing_is_judged_apart() -> None:
    # Everything that is remembered is shared by these, and each has its own outcome.
    machine = PLATFORM.machine()
    one, other = machine.quote(REPORT_DATA), machine.quote(bytes(64))
    mixed = one[: 48 + 584] + other[48 + 584 :]
    assert judge(one, endorsements=collateral()).exit_code == 0
    assert judge(other, endorsements=collateral()).exit_code == 0
    assert failures(judge(mixed, endorsements=collateral())) == [
        ("quote-signature", "quote_signature")
    ]


def test_threads_reach_the_verdicts_that_one_thread_reaches() -> None:
    situations = _SITUATIONS[:: len(_SITUATIONS) // 90]
    expected = [_cold(situation) for situation in situations]
    _forget()
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(_run, situations * 2))
    assert found == expected * 2


def test_a_verdict_shares_nothing_that_its_reader_could_change() -> None:
    first = judge()
    first.facts["mrtd"] = "changed"
    first.facts["tcb"]["status"] = "changed"
    first.facts["platform"].clear()
    again = judge()
    assert again.facts["mrtd"] != "changed"
    assert again.facts["tcb"]["status"] == "UpToDate"
    assert again.facts["platform"]


def test_the_same_question_has_the_same_key_and_another_one_another() -> None:
    keys: dict[str, list[Verdict]] = {}
    for situation in _SITUATIONS[::7]:
        verdict = _run(situation)
        keys.setdefault(verdict.key, []).append(verdict)
    for verdicts in keys.values():
        assert len({verdict.provenance for verdict in verdicts}) == 1
        assert len({verdict.subject for verdict in verdicts}) == 1

"""Today's TCB info beside a revocation list of last month hides whoever was revoked since."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from teeproof.evidence.archive import Archive
from teeproof.evidence.collect.simulated import Edition, SimulatedPlatform, opt_in_policy, publish
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import parse_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PLATFORM = SimulatedPlatform(b"old lists".ljust(32, b"\0"))
MACHINE = PLATFORM.machine()
POLICY = parse_policy(opt_in_policy(PLATFORM)).with_(max_collateral_age_days=1)
TODAY = Edition.at(NOW)


def _honest(at: datetime = NOW) -> Collateral:
    return publish(PLATFORM.pki, replace(Edition.at(at), revoked_by_pck_ca=(MACHINE.pck.serial,)))


def _mixed() -> Collateral:
    old = {"pck_crl": TODAY.pck_crl.shifted(-29), "root_crl": TODAY.root_crl.shifted(-29)}
    return publish(PLATFORM.pki, replace(TODAY, **old))


def _judge(collateral: Collateral) -> Verdict:
    quote = MACHINE.quote(b"r" * 64)
    return verify(Evidence(quote=quote, collateral=collateral), policy=POLICY, now=NOW)


def test_operator_cannot_hide_a_revocation_behind_an_old_list_where_age_is_limited() -> None:
    assert [check.code for check in _judge(_honest()).failures] == ["pck_revoked"]
    verdict = _judge(_mixed())
    assert [check.code for check in verdict.failures] == ["collateral_too_old"]
    assert verdict.check("collateral-age").got == "more than 29 days"


def test_the_same_documents_with_lists_of_today_are_young_enough() -> None:
    assert _judge(publish(PLATFORM.pki, TODAY)).check("collateral-age").state == "passed"


def test_operator_cannot_make_the_archive_prefer_an_old_list(tmp_path) -> None:
    for day in (NOW, NOW - timedelta(days=1)):
        archive = Archive(tmp_path / f"{day:%d}")
        archive.add(_honest(day))
        entry = archive.add(_mixed())
        found = archive.find(entry.platform, at=int(NOW.timestamp()))
        assert found.collateral == _honest(day)
        assert [c.code for c in _judge(found.collateral).failures if c.code == "pck_revoked"]

"""How well patched is the platform? Intel's rules one by one, all at once, and against dcap-qvl."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from teeproof.core.errors import NotAuthentic
from teeproof.evidence import second_path
from teeproof.evidence.collect.simulated import Domain, Processor, QuotingEnclave
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.second_path import Opinion
from teeproof.evidence.tdx import quote as tdx_quote
from teeproof.evidence.tdx import tcb
from teeproof.evidence.tdx.documents import parse_qe_identity, parse_tcb_info
from teeproof.evidence.tdx.pck import parse_pck
from teeproof.evidence.x509 import parse_chain
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, collateral, judge, resigned
from tests.evidence.tdx.levels import (
    PART_STATUSES,
    PLATFORM_STATUSES,
    Answer,
    Case,
    Level,
    Part,
    current,
    intel,
)


def _collateral(case: Case) -> Collateral:
    return resigned(
        collateral(), tcb_info=case.change_tcb_info, qe_identity=case.change_qe_identity
    )


def _quote(case: Case) -> bytes:
    machine = PLATFORM.machine(
        processor=Processor(cpu_svn=bytes([case.cpu]) + bytes(15), pce_svn=case.pce),
        enclave=QuotingEnclave(isvsvn=case.qe),
        domain=Domain(
            tee_tcb_svn=bytes(case.svn) + bytes(13),
            tee_tcb_svn2=bytes(case.svn2 or case.svn) + bytes(13),
        ),
    )
    return machine.quote(REPORT_DATA, version=4 if case.svn2 is None else 5)


def _ours(case: Case) -> Answer:
    """Return our answer from the functions alone: no signature, no second path."""
    published, quote = _collateral(case), tdx_quote.parse(_quote(case))
    info = parse_tcb_info(published.tcb_info)
    leaf = parse_chain(quote.signature.pck_chain, what="chain")[0]
    try:
        tcb.check_module(quote.body, info)
        level = tcb.match_qe_level(case.qe, parse_qe_identity(published.qe_identity))
        judged = tcb.assess(quote.body, info=info, pck=parse_pck(leaf), qe=level)
    except NotAuthentic as error:
        return error.code
    return judged.status, frozenset(judged.advisories)


def _status(case: Case) -> str:
    answer = _ours(case)
    return answer if isinstance(answer, str) else answer[0]


# What a module or quoting enclave that is out of date makes of the platform's status
# (TcbLevelCheck.cpp, TdxModuleCheck.cpp: the two functions convergeTcbStatusWith…).
OUT_OF_DATE_MAKES = {
    "UpToDate": "OutOfDate",
    "SWHardeningNeeded": "OutOfDate",
    "ConfigurationNeeded": "OutOfDateConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded": "OutOfDateConfigurationNeeded",
    "OutOfDate": "OutOfDate",
    "OutOfDateConfigurationNeeded": "OutOfDateConfigurationNeeded",
    "Revoked": "Revoked",
}


@pytest.mark.parametrize("platform", PLATFORM_STATUSES)
@pytest.mark.parametrize("module", [None, *PART_STATUSES])
@pytest.mark.parametrize("enclave", PART_STATUSES)
def test_every_combination_of_platform_module_and_enclave_converges_as_intel_says(
    platform: str, module: str | None, enclave: str
) -> None:
    case = Case(
        levels=(Level(status=platform, advisories=("INTEL-SA-1",)),),
        modules={1: (Part(status=module or "UpToDate", advisories=("INTEL-SA-2",)),)},
        enclave=(Part(status=enclave, advisories=("INTEL-SA-3",)),),
        svn=(0, 0 if module is None else 1, 0),
    )
    if "Revoked" in (platform, module, enclave):
        expected = "Revoked"
    elif "OutOfDate" in (module, enclave):
        expected = OUT_OF_DATE_MAKES[platform]
    else:
        expected = platform
    advisories = {"INTEL-SA-1", "INTEL-SA-3"} | ({"INTEL-SA-2"} if module else set())
    assert _ours(case) == (expected, frozenset(advisories))
    assert intel(case) == (expected, frozenset(advisories))


# The situations of Intel's own unit test, QuoteVerifierTcbStatusUT.cpp, where the newest level has
# every SVN at 0xF0 and the oldest at 0: statuses (newest, oldest level; modules 0xF0 and 0), the
# certificate's and the quote's SVNs, the enclave's status, and the expected outcome.
_NEW, _OLD = (0xF0, 0xF0, 0xF0), (0, 0, 0)
INTELS = [
    ("UpToDate", "OutOfDate", "UpToDate", True, _NEW, "UpToDate", "UpToDate"),
    ("UpToDate", "Revoked", "UpToDate", True, _NEW, "UpToDate", "UpToDate"),
    ("Revoked", "OutOfDate", "UpToDate", True, _NEW, "UpToDate", "Revoked"),
    ("UpToDate", "OutOfDate", "Revoked", True, _NEW, "UpToDate", "Revoked"),
    ("UpToDate", "OutOfDate", "UpToDate", True, _NEW, "Revoked", "Revoked"),
    ("UpToDate", "OutOfDate", "UpToDate", False, _OLD, "UpToDate", "OutOfDate"),
    ("UpToDate", "OutOfDate", "UpToDate", False, _NEW, "UpToDate", "OutOfDate"),
    ("Revoked", "OutOfDate", "OutOfDate", True, _OLD, "UpToDate", "OutOfDate"),
    ("OutOfDate", "OutOfDate", "UpToDate", True, _NEW, "UpToDate", "OutOfDate"),
    ("UpToDate", "OutOfDate", "UpToDate", True, _NEW, "OutOfDate", "OutOfDate"),
    ("SWHardeningNeeded", "OutOfDate", "UpToDate", True, _NEW, "UpToDate", "SWHardeningNeeded"),
    ("UpToDate", "SWHardeningNeeded", "UpToDate", False, _NEW, "UpToDate", "SWHardeningNeeded"),
]


@pytest.mark.parametrize("row", INTELS, ids=lambda row: "-".join(map(str, row)))
def test_the_situations_of_intels_own_unit_test_come_out_as_there(
    row: tuple[str, str, str, bool, tuple[int, int, int], str, str],
) -> None:
    newest, oldest, module, up_to_date_certificate, svn, enclave, expected = row
    case = Case(
        levels=(
            Level(cpu=0xF0, pce=10, tdx=_NEW, status=newest),
            Level(pce=5, status=oldest),
        ),
        modules={0xF0: (Part(status=module),)},
        enclave=(Part(status=enclave),),
        cpu=0xF0 if up_to_date_certificate else 0,
        pce=10 if up_to_date_certificate else 5,
        svn=svn,
        svn2=_NEW,
    )
    assert _status(case) == expected


def test_with_a_module_version_bytes_0_and_1_of_the_levels_are_not_compared() -> None:
    # 4.1.2.4.17.3. The real quote on which older versions of dcap-qvl go wrong has this shape.
    level = Level(tdx=(9, 9, 3))
    modules = {1: (Part(svn=2),)}
    assert _status(Case(levels=(level,), modules=modules, svn=(2, 1, 3))) == "UpToDate"
    assert _status(Case(levels=(level,), modules=modules, svn=(2, 1, 2))) == "tcb_level_none"
    assert _status(Case(levels=(level,), modules=modules, svn=(9, 0, 3))) == "tcb_level_none"
    assert _status(Case(levels=(Level(tdx=(9, 0, 3)),), svn=(9, 0, 3))) == "UpToDate"
    assert _status(Case(levels=(Level(tdx=(9, 0, 3)),), svn=(8, 0, 3))) == "tcb_level_none"


# A module version above 0 (byte 1) has an identity of its own: see the test above.
COMPONENTS = [("sgx", at) for at in range(16)] + [("tdx", at) for at in range(16) if at != 1]


@pytest.mark.parametrize(("kind", "at"), COMPONENTS)
def test_each_of_the_sixteen_components_must_reach_the_level(kind: str, at: int) -> None:
    reached, short = bytes(at) + b"\2" + bytes(15 - at), bytes(at) + b"\1" + bytes(15 - at)

    def need(document: dict[str, Any]) -> None:
        document["tcbLevels"][0]["tcb"][f"{kind}tcbcomponents"][at]["svn"] = 2

    published = resigned(_collateral(Case()), tcb_info=need)
    for svn, expected in ((reached, "UpToDate"), (short, "tcb_level_none")):
        cpu, tdx = (svn, bytes(16)) if kind == "sgx" else (bytes(16), svn)
        quote = PLATFORM.machine(
            processor=Processor(cpu_svn=cpu, pce_svn=0),
            enclave=QuotingEnclave(isvsvn=0),
            domain=Domain(tee_tcb_svn=tdx),
        ).quote(REPORT_DATA)
        check = judge(quote, endorsements=published).check("tcb-level")
        assert (check.code or check.got) == expected


@pytest.mark.parametrize(("pce", "expected"), [(3, "UpToDate"), (2, "OutOfDate"), (1, None)])
def test_the_provisioning_enclave_must_reach_the_level(pce: int, expected: str | None) -> None:
    levels = (Level(pce=3), Level(pce=2, status="OutOfDate"))
    assert _status(Case(levels=levels, pce=pce)) == (expected or "tcb_level_none")


@pytest.mark.parametrize(
    ("svn", "expected"),
    [(9, "UpToDate"), (6, "UpToDate"), (5, "OutOfDate"), (4, "OutOfDate"), (3, "Revoked"),
     (2, "Revoked"), (1, None)],
)  # fmt: skip
@pytest.mark.parametrize("descending", [True, False])
def test_modules_and_enclaves_get_the_highest_level_that_they_reach(
    svn: int, expected: str | None, descending: bool
) -> None:
    parts = [Part(svn=6), Part(svn=4, status="OutOfDate"), Part(svn=2, status="Revoked")]
    if not descending:
        parts.reverse()
    module = Case(modules={3: tuple(parts)}, svn=(svn, 3, 0))
    assert _status(module) == (expected or "tdx_module_level_none")
    assert _status(Case(enclave=tuple(parts), qe=svn)) == (expected or "qe_level_none")


def test_a_module_version_that_intel_does_not_list_is_unknown() -> None:
    assert _status(Case(modules={1: (Part(),)}, svn=(0, 1, 0))) == "UpToDate"
    assert _status(Case(modules={1: (Part(),)}, svn=(0, 2, 0))) == "tdx_module_unknown"
    assert _status(Case(modules={0x1A: (Part(),)}, svn=(0, 0x1A, 0))) == "UpToDate"


# TD relaunch (4.1.2.4.17.4.3): the domain was launched under an old module that has been updated.
LAUNCHED_OLD = Case(
    levels=(Level(tdx=(0, 0, 3)), Level(status="OutOfDate")),
    modules={1: (Part(svn=4), Part(svn=2, status="OutOfDate")), 3: (Part(svn=7),)},
    svn=(2, 1, 3),
    svn2=(4, 1, 3),
)


def test_a_module_that_was_updated_under_the_domain_advises_a_relaunch() -> None:
    assert _status(LAUNCHED_OLD) == "TDRelaunchAdvised"
    assert _status(replace(LAUNCHED_OLD, svn2=(7, 3, 3))) == "TDRelaunchAdvised"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"svn2": (3, 1, 3)}, "the loaded module is not the newest of its version"),
        ({"svn2": (6, 3, 3)}, "nor is it under another version"),
        ({"svn2": (4, 1, 2)}, "late microcode is not the newest"),
        ({"svn2": None}, "a TD report 1.0 does not say what is loaded"),
        ({"enclave": (Part(status="OutOfDate"),)}, "the quoting enclave is out of date as well"),
        ({"levels": (Level(tdx=(0, 0, 3), status="OutOfDate"),)}, "the CPU is out of date"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_relaunch_would_not_help_where(change: dict[str, object], why: str) -> None:
    case = replace(LAUNCHED_OLD, **change)  # type: ignore[arg-type]
    assert _status(case) == "OutOfDate", why


def test_a_relaunch_is_no_answer_to_revocation_or_to_an_unknown_module() -> None:
    assert _status(replace(LAUNCHED_OLD, enclave=(Part(status="Revoked"),))) == "Revoked"
    assert _status(replace(LAUNCHED_OLD, svn2=(4, 2, 3))) == "tdx_module_unknown"
    revoked = {1: (Part(svn=4), Part(svn=2, status="Revoked"))}
    assert _status(replace(LAUNCHED_OLD, modules=revoked)) == "Revoked"


@pytest.mark.parametrize("status", ["ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded"])
def test_a_relaunch_that_leaves_a_setting_open_says_so(status: str) -> None:
    case = replace(LAUNCHED_OLD, levels=(Level(tdx=(0, 0, 3), status=status),))
    assert _status(case) == "TDRelaunchAdvisedConfigurationNeeded"


def test_module_version_0_is_compared_with_the_newest_level_itself() -> None:
    case = replace(
        LAUNCHED_OLD, levels=(Level(tdx=(5, 0, 3)), Level(tdx=(0, 0, 3))), svn2=(5, 0, 3)
    )
    assert _status(case) == "TDRelaunchAdvised"
    assert _status(replace(case, svn2=(4, 0, 3))) == "OutOfDate"


def test_the_date_is_that_of_the_older_part() -> None:
    case = Case(levels=(Level(day=5),), modules={1: (Part(day=3),)}, svn=(0, 1, 0))
    check = judge(_quote(case), endorsements=_collateral(case)).check("tcb-level")
    assert "2025-01-03" in check.detail
    case = replace(case, modules={1: (Part(day=7),)})
    assert (
        "2025-01-05"
        in judge(_quote(case), endorsements=_collateral(case)).check("tcb-level").detail
    )


# Properties ---------------------------------------------------------------------------------

_svns = st.integers(0, 3)
_advisories = st.lists(st.sampled_from(("INTEL-SA-1", "INTEL-SA-2", "INTEL-SA-3")), max_size=2)
_levels = st.lists(
    st.builds(
        Level,
        cpu=st.integers(0, 2),
        pce=st.integers(0, 1),
        tdx=st.tuples(_svns, st.sampled_from((0, 0, 1)), st.integers(0, 2)),
        status=st.sampled_from(PLATFORM_STATUSES),
        advisories=_advisories.map(tuple),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda level: (level.cpu, level.pce, level.tdx),
).map(tuple)


def _parts(svns: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[Part, ...]]:
    made = st.builds(
        Part, svn=svns, status=st.sampled_from(PART_STATUSES), advisories=_advisories.map(tuple)
    )
    # As Intel publishes them: newest first.
    return st.lists(made, min_size=1, max_size=3, unique_by=lambda part: part.svn).map(
        lambda parts: tuple(sorted(parts, key=lambda part: -part.svn))
    )


_report_svns = st.tuples(st.integers(0, 4), st.sampled_from((0, 1, 1, 3)), st.integers(0, 2))
_cases = st.builds(
    Case,
    levels=_levels,
    modules=st.dictionaries(st.sampled_from((1, 3)), _parts(_svns), min_size=1, max_size=2),
    enclave=_parts(st.integers(0, 2)),
    cpu=st.integers(0, 2),
    pce=st.integers(0, 1),
    qe=st.integers(0, 3),
    svn=_report_svns,
    svn2=st.none() | _report_svns,
)
_many = settings(
    max_examples=150, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


@given(_cases)
@_many
def test_whatever_the_levels_are_the_answer_is_intels(case: Case) -> None:
    assert _ours(case) == intel(case)


def _theirs(case: Case) -> Opinion:
    return second_path.ask(
        _quote(case),
        collateral=_collateral(case),
        root_fingerprint=PLATFORM.root_fingerprint,
        root_der=PLATFORM.root_der,
        now=int(NOW.timestamp()),
    )


_RELAUNCH = {
    "TDRelaunchAdvised": "OutOfDate",
    "TDRelaunchAdvisedConfigurationNeeded": "OutOfDateConfigurationNeeded",
}
# Where dcap-qvl 0.7.0 does not follow Intel's verifier. Both concern TD report 1.5 alone, where it
# judges the TCB as of now (TEE_TCB_SVN2) by a matching of its own, and Intel's verifier asks only
# whether the newest module and late microcode are loaded.
KNOWN_DIFFERENCES = (
    "it refuses where the TCB as of now has no level or is revoked",
    "it advises a relaunch where the TCB as of now is not out of date, whatever was out of date "
    "at the launch; Intel where the module was, and the newest one is loaded now",
)


def _known_difference(case: Case, ours: Answer, theirs: Opinion) -> str | None:
    if case.svn2 is None or isinstance(ours, str):
        return None
    now = current(case)
    if isinstance(now, str) or now[0] == "Revoked":
        return None if theirs.accepted else KNOWN_DIFFERENCES[0]
    same = (
        theirs.accepted
        and theirs.status is not None
        and (_RELAUNCH.get(ours[0], ours[0]) == _RELAUNCH.get(theirs.status, theirs.status))
    )
    return KNOWN_DIFFERENCES[1] if same and frozenset(theirs.advisories) == ours[1] else None


# One case of each, with our answer (Intel's) and theirs: an upgrade that changes one shows here.
_NEWER_MICROCODE = Case(
    levels=(
        Level(tdx=(0, 0, 3), status="SWHardeningNeeded"),
        Level(tdx=(0, 0, 1), status="OutOfDate"),
    ),
    svn=(0, 0, 1),
    svn2=(0, 0, 3),
)
_NOW_REVOKED = Case(modules={1: (Part(),), 3: (Part(status="Revoked"),)}, svn=(0, 1, 0))
PINNED = [
    (0, replace(_NOW_REVOKED, svn2=(0, 3, 0)), "UpToDate", "refused"),
    (0, replace(_NOW_REVOKED, svn2=(0, 4, 0)), "UpToDate", "refused"),
    (0, Case(levels=(Level(tdx=(0, 0, 1)),), svn=(0, 0, 1), svn2=(0, 0, 0)), "UpToDate",
     "refused"),
    (1, _NEWER_MICROCODE, "OutOfDate", "TDRelaunchAdvised"),
    (1, replace(LAUNCHED_OLD, modules={1: (Part(svn=2, status="OutOfDate"),)}),
     "TDRelaunchAdvised", "OutOfDate"),
]  # fmt: skip


@pytest.mark.parametrize(("which", "case", "ours", "theirs"), PINNED)
def test_each_known_difference_is_still_there_and_is_told(
    which: int, case: Case, ours: str, theirs: str
) -> None:
    opinion = _theirs(case)
    assert (_status(case), opinion.status or "refused") == (ours, theirs)
    assert _known_difference(case, _ours(case), opinion) == KNOWN_DIFFERENCES[which]
    verdict = judge(_quote(case), endorsements=_collateral(case))
    codes = [check.code for check in verdict.failures]
    if which == 0:
        assert codes == ["paths_disagree"]
        assert verdict.exit_code == 2
    else:  # a matter of advice: what was out of date at the launch is not in question
        assert "paths_disagree" not in codes
        assert "when a relaunch helps" in verdict.check("second-path-tcb").detail


@given(_cases)
@_many
def test_unmodified_dcap_qvl_agrees_wherever_it_follows_intel(case: Case) -> None:
    ours, theirs = _ours(case), _theirs(case)
    if theirs.accepted:
        same = ours == (theirs.status, frozenset(theirs.advisories))
    else:
        same = isinstance(ours, str) or ours[0] == "Revoked"
    assert same or _known_difference(case, ours, theirs), (ours, theirs)


@given(_cases)
@_many
def test_the_verdict_passes_over_no_difference_between_the_paths(case: Case) -> None:
    ours, theirs = _ours(case), _theirs(case)
    verdict = judge(_quote(case), endorsements=_collateral(case))
    states = [verdict.check(f"second-path-{part}") for part in ("signatures", "tcb")]
    disagree = any(check.code == "paths_disagree" for check in states)
    if theirs.accepted:
        advice = _known_difference(case, ours, theirs) == KNOWN_DIFFERENCES[1]
        agreed = advice or ours == (theirs.status, frozenset(theirs.advisories))
        assert disagree is not agreed
        assert not agreed or all(check.state == "passed" for check in states)
    else:
        # What both refuse is no disagreement; what dcap-qvl alone refuses is one.
        both = isinstance(ours, str) or ours[0] == "Revoked"
        assert disagree is not both
    assert not disagree or verdict.exit_code == 2

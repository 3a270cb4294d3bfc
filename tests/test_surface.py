"""What ``import teeproof`` offers: exactly what it lists, loaded only when it is used."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

import teeproof
from teeproof.core import errors
from teeproof.evidence.collect.simulated import SimulatedPlatform, opt_in_policy, simulate
from teeproof.evidence.policy import parse_policy

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def platform():
    return SimulatedPlatform(bytes(range(32)))


@pytest.fixture(scope="module")
def evidence(platform):
    return simulate("up-to-date", bytes(range(64)), platform=platform, now=NOW)


def fresh(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_what_is_listed_is_what_is_visible():
    assert fresh("import teeproof; print(dir(teeproof) == sorted(teeproof.__all__))") == "True"
    assert (
        fresh(
            "import teeproof; names = {};"
            "exec('from teeproof import *', names); names.pop('__builtins__');"
            "print(sorted(names) == sorted(teeproof.__all__))"
        )
        == "True"
    )


@pytest.mark.parametrize("name", [n for n in teeproof.__all__ if n != "__version__"])
def test_each_name_is_there_and_documented(name):
    value = getattr(teeproof, name)
    assert value.__doc__
    assert value.__name__ == name
    assert name in (teeproof.__doc__ or "")


def test_importing_it_loads_nothing_of_ours():
    loaded = fresh("import sys, teeproof; print([m for m in sys.modules if 'teeproof.' in m])")
    assert loaded == "[]"


def test_a_name_loads_only_what_it_needs():
    loaded = fresh(
        "import sys, teeproof; teeproof.Error;"
        "print([m for m in sys.modules if m.startswith(('teeproof.evidence', 'cryptography'))])"
    )
    assert loaded == "[]"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'verfy'"):
        teeproof.verfy  # noqa: B018


def test_every_kind_of_error_is_offered():
    kinds = {name for name in errors.__all__ if isinstance(getattr(errors, name), type)}
    assert kinds <= set(teeproof.__all__)
    assert all(issubclass(getattr(teeproof, name), teeproof.Error) for name in kinds)


def test_evidence_is_verified_in_one_call(platform, evidence):
    policy = teeproof.parse_policy(opt_in_policy(platform))
    assert teeproof.verify(evidence, policy=policy, now=NOW).ok
    refused = teeproof.verify(evidence, policy="strict", now=NOW)
    assert refused.exit_code == 4
    assert refused.provenance.policy == "strict"


def test_a_path_is_loaded_and_verified(evidence, tmp_path):
    (tmp_path / "quote.bin").write_bytes(evidence.quote)
    assert teeproof.load(tmp_path / "quote.bin").quote == evidence.quote
    verdict = teeproof.verify(
        tmp_path / "quote.bin", collateral=evidence.collateral, now=NOW, policy="genuine"
    )
    assert verdict.level == "simulated"
    assert teeproof.verify(str(tmp_path), now=NOW).exit_code == 3


def test_without_a_time_the_machine_s_clock_is_asked(evidence):
    said = teeproof.parse_time(teeproof.verify(evidence).provenance.time)
    assert said > datetime(2026, 1, 1, tzinfo=UTC)


def test_what_is_no_evidence_is_refused(tmp_path):
    with pytest.raises(teeproof.Malformed):
        teeproof.verify(b"no quote", now=NOW)
    with pytest.raises(teeproof.Unavailable):
        teeproof.load(tmp_path / "nothing")
    (tmp_path / "policy.toml").write_text("debug = false")
    with pytest.raises(teeproof.Usage, match="no quote among these files"):
        teeproof.load(tmp_path / "policy.toml")


def test_a_log_may_be_named_by_text_as_any_path(tmp_path):
    with teeproof.Log.create(str(tmp_path / "log"), origin="log.example/a") as log:
        assert log.directory == tmp_path / "log"
    with teeproof.Log.open(str(tmp_path / "log")) as log:
        assert log.size == 0


def test_the_same_names_what_failed_of_evidence_and_of_a_proof(platform, tmp_path, monkeypatch):
    monkeypatch.setenv("TEEPROOF_HOME", str(tmp_path))
    me = teeproof.Identity.boot("simulated")
    answer = me.seal("answer", outputs={"answer.txt": b"42"}, inputs={"question.txt": b"6 x 7?"})
    answer.save(tmp_path / "answer.proof")
    verdict = teeproof.verify(tmp_path / "answer.proof")
    assert [check.name for check in verdict.failures] == ["simulated-root"]
    following = me.rotate()
    assert teeproof.verify(following.seal("answer", outputs={"a": b"1"})).exit_code == 4


def test_several_quotes_are_not_one_piece_of_evidence(evidence, tmp_path):
    (tmp_path / "a.bin").write_bytes(evidence.quote)
    (tmp_path / "b.bin").write_bytes(evidence.quote + b"\0")
    with pytest.raises(teeproof.Usage, match="several quotes"):
        teeproof.load(tmp_path / "a.bin", tmp_path / "b.bin")


def test_a_program_may_write_times_and_collateral_as_it_has_them(evidence, platform):
    policy = parse_policy(opt_in_policy(platform))
    given = json.dumps(evidence.collateral.to_json()).encode()
    as_text = teeproof.verify(evidence.quote, policy=policy, now="2026-03-01", collateral=given)
    as_objects = teeproof.verify(
        evidence.quote,
        policy=policy,
        now=teeproof.parse_time("2026-03-01"),
        collateral=teeproof.Collateral.parse(given),
    )
    assert as_text == as_objects
    assert as_text.exit_code == 0
    for wrong in ({"policy": {}}, {"collateral": 7}, {"now": "yesterday"}):
        with pytest.raises(teeproof.Usage):
            teeproof.verify(evidence.quote, **wrong)


def test_a_verdict_is_neither_true_nor_false(evidence):
    with pytest.raises(TypeError, match=r"verdict\.ok"):
        bool(teeproof.verify(evidence, now=NOW))

"""``teeproof samples``: what there is, where it lies; nothing is fetched unasked."""

from __future__ import annotations

import os
from pathlib import Path

from teeproof.core.clock import format_time
from teeproof.evidence.samples.fetch import SAMPLES


def test_every_sample_is_listed_with_its_time(teeproof):
    listed = teeproof("samples")
    assert listed.out == teeproof("samples", "list").out
    twin = teeproof("samples", "list", "--json").json
    assert [row["name"] for row in twin] == list(SAMPLES)
    for row in twin:
        assert row["about"] in listed.out
        assert f"{row['expected']} as of {row['at']}" in listed.out


def test_a_sample_that_is_here_verifies_with_the_expected_status(teeproof, vectors):
    here = [row for row in teeproof("samples", "list", "--json").json if row["path"]]
    assert here
    for row in here:
        verdict = teeproof("verify", row["path"], "--at", row["at"], "--json").json
        assert verdict["facts"]["tcb"]["status"] == row["expected"]
        assert format_time(SAMPLES[row["name"]].at) == row["at"]


def test_where_names_both_places(teeproof, vectors):
    twin = teeproof("samples", "where", "--json").json
    assert twin["samples"] == str(Path(os.environ["TEEPROOF_HOME"]) / "samples")
    assert Path(twin["vectors"]) == vectors
    assert twin["samples"] in teeproof("samples", "where").out


def test_fetch_needs_a_name(teeproof):
    answer = teeproof("samples", "fetch")
    assert answer.code == 1
    assert "name samples, or say --all" in answer.err


def test_an_unknown_sample_names_those_there_are(teeproof):
    answer = teeproof("samples", "fetch", "nothing")
    assert answer.code == 1
    assert next(iter(SAMPLES)) in answer.err


def test_without_a_network_it_advises_nothing_that_there_is_no_option_for(teeproof, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # the port "discard": nobody listens
    answer = teeproof("samples", "fetch", "dstack")
    assert answer.code == 3
    assert "cannot be fetched: check the network, then try again" in answer.err
    assert "mirror" not in answer.err

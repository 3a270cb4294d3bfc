"""The checker in a second engine: what holds in Chromium holds in Firefox, what fails, fails."""

from __future__ import annotations

import json

import pytest

from teeproof.cli.demo_proof import tell
from teeproof.core.clock import wall_clock
from teeproof.evidence.policy import parse_policy
from teeproof.explorer.checker import page as saved_page
from tests.explorer import test_checker_agrees as agrees
from tests.explorer import test_checker_evidence as evidence
from tests.explorer import test_checker_witnesses as witnesses
from tests.explorer.checking import HARNESS, asking, green, results, trusted
from tests.explorer.test_dropping import proof_files, real_files
from tests.proof.people import NOW, policy
from tests.vectors import MISSING, records

ANSWERED = "document.querySelector('proof-check').dataset.answer"
DROPPED = "document.querySelector('proof-drop [data-answer]')?.dataset.answer"


def said(firefox, folder, harness, cases, trust):
    """What the checker says of each case."""
    with firefox.page(online=False) as page:
        page.goto(asking(folder, harness, cases, trust).as_uri())
        found = json.loads(page.until("document.getElementById('out').textContent"))
        assert firefox.complaints() == []
    return found


def flips(raw, count):
    """The file with one bit changed, at places all over it."""
    return evidence.flipped(raw, list(range(0, len(raw), len(raw) // count)))


def test_a_demos_proof_holds_and_no_byte_of_it_may_change(firefox, tmp_path):
    tell(tmp_path, wall_clock)
    proof = next(tmp_path.glob("*.proof")).read_bytes()
    machines = parse_policy((tmp_path / "policy.toml").read_bytes())
    trust = trusted(machines, (tmp_path / "trusted-logs").read_text(), wall_clock())
    first, *rest = said(firefox, tmp_path, HARNESS, [proof, *flips(proof, 6)], trust)
    assert (first["answer"], first["failed"]) == ("simulated", [])
    assert not any(green(one) for one in rest)


def test_workload_signs_what_no_format_allows_and_both_browsers_say_the_same(firefox, tmp_path):
    cases = agrees.receipts() | agrees.identities()  # Ed25519, P-256, secp256k1, X25519, ML-KEM
    trust = trusted(policy(), "", NOW)
    told = said(firefox, tmp_path, HARNESS, cases.values(), trust)
    in_chromium = results(tmp_path, HARNESS, cases.values(), trust)
    for name, one, other in zip(cases, told, in_chromium, strict=True):
        assert one == other, name
    assert 0 < sum(green(one) for one in told) < len(told) / 2


def genuine(kind, name):
    """A vendor's real evidence, and at which time and with which certificates it holds."""
    record = next((one for one in records(kind) if one.id == name), None)
    if record is None:
        pytest.skip(MISSING)
    if kind == "nitro":
        document = evidence.genuine(record)
        return document.raw, {"kind": kind, "time": document.seconds}
    if kind == "dcap":
        return record.read("quote.bin"), {"kind": "tdx", "time": int(record.now.timestamp())}
    certificates = evidence.certificates_of(record.path).decode()
    trust = {"kind": kind, "time": int(NOW.timestamp()), "certificates": certificates}
    return record.read("report.bin"), trust


@pytest.mark.parametrize(
    ("kind", "name"),
    [("dcap", "tdx-v4-b0c06f-uptodate"), ("snp", "milan-virtee"), ("nitro", "nitro-dstack")],
)
def test_real_evidence_leads_to_its_vendors_root_and_its_twins_do_not(
    firefox, tmp_path, kind, name
):
    raw, trust = genuine(kind, name)
    places = [
        0,
        200,
        0x2A0,
    ]  # what says its kind, what is signed, and a signature or what is signed
    cases = [raw, *evidence.flipped(raw, places)]
    first, *rest = said(firefox, tmp_path, evidence.EVIDENCE, cases, trust)
    assert first["rows"][0][1] == "passed", "the vendor's root"
    assert not evidence.bad(first)
    assert all(evidence.bad(one) for one in rest)


def test_witness_signs_with_ml_dsa_over_this_tree_or_another(firefox, tmp_path):
    line, other = witnesses.mldsa_line(), witnesses.mldsa_line(start=1)
    cases = [
        {"policy": asked, "note": signed.note.encode().hex(), "now": witnesses.NOW}
        for asked, signed in (witnesses.case(witnesses.ALONE, one) for one in (line, other))
    ]
    true = witnesses.published()
    twin = true | {"message": true["message"][:-1] + "0"}
    told = said(firefox, tmp_path, witnesses.HARNESS, [], [*cases, true, twin])
    assert told == [witnesses.TIME, None, True, False]


@pytest.fixture
def kept(firefox, tmp_path):
    """A saved page, opened from disk with the network off, at the time of its statements."""
    good, bad = proof_files(tmp_path)
    roots = tuple(policy().simulated_roots)
    text = saved_page(good.read_bytes(), name="answer.proof", title="Proof", roots=roots)
    (tmp_path / "kept.html").write_text(text)
    with firefox.page(online=False, now=NOW) as page:
        page.goto((tmp_path / "kept.html").as_uri())
        yield page, good, bad


def test_a_saved_page_holds_and_takes_other_files(firefox, kept, tmp_path):
    page, good, bad = kept
    assert page.until(ANSWERED) == "simulated"
    page.choose("proof-drop input", bad)
    assert page.until(DROPPED) == "failed"
    page.drop("h1", good)
    assert page.until(f"{DROPPED} !== 'failed' && {DROPPED}") == "simulated"
    quote, *_ = real_files(tmp_path)
    page.drop("proof-drop", quote)
    page.until("document.querySelector('proof-drop .name')?.textContent === 'quote.bin'")
    assert "Intel's root, which is built in here" in page.evaluate(
        "document.querySelector('proof-drop').textContent"
    )
    page.drop("body", good, bad)
    assert page.until(f"{DROPPED} === 'not_checked'")
    assert "one file at a time" in page.text("proof-drop")
    assert firefox.complaints() == []


def test_somebody_adds_a_script_to_a_saved_page_and_none_runs(firefox, kept, tmp_path):
    page, *_ = kept
    text = (tmp_path / "kept.html").read_text()
    assert text.count("<main>") == 1
    (tmp_path / "spoiled.html").write_text(
        text.replace("<main>", "<script>document.title = 'ran'</script><main>")
    )
    page.goto((tmp_path / "spoiled.html").as_uri())
    assert page.until(ANSWERED) == "simulated"
    assert page.evaluate("document.title") != "ran"
    assert any("blocked an inline script" in one for one in firefox.complaints())

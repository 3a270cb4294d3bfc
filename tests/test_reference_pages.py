"""The pages on policies and on JSON are complete and true: every row is tried."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any, NamedTuple

import msgspec
import pytest

from teeproof.cli import main, running
from teeproof.core.errors import Usage
from teeproof.evidence import policy_forms
from teeproof.evidence.appraise.kind import ANSWERED
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.nvidia.policy import GpuPolicy
from teeproof.evidence.policy import Policy, parse_policy
from teeproof.evidence.policy_tables import TABLES
from teeproof.evidence.simulated.nvidia_pki import GpuVendor
from teeproof.evidence.verdict import Check, Provenance, Verdict
from teeproof.evidence.verify import verify
from tests.cli.program import program
from tests.evidence.scenes import NOW, PLATFORM, state
from tests.proof.people import step, workload_named
from tests.proof.world import World
from tests.vectors import ROOT, each

POLICY = (ROOT / "docs/reference/policy.md").read_text()
JSON = (ROOT / "docs/reference/verdict-json.md").read_text()
UNCHECKED = ("name", "description")


class Field(NamedTuple):
    """One row of the policy page."""

    name: str
    example: str
    checks: frozenset[str]


def fields(page: str) -> dict[str, Field]:
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \| .+ \|(.*)\|$", page, re.MULTILINE)
    return {
        name: Field(name, example, frozenset(re.findall(r"`(.+?)`", checks)))
        for name, example, checks in rows
    }


FIELDS = fields(POLICY)


def policy_of(*names: str) -> Policy:
    """Return the policy that holds these rows' examples, with digits in place of ``…``."""
    roots = {"roots": "roots = []", "simulated_roots": f"simulated_roots = {json.dumps(ROOT_KEYS)}"}
    lines = roots | {name: _whole(name, FIELDS[name].example) for name in names}
    return parse_policy("\n".join(lines.values()))


# The stranger of the states gpu-other-root and gpu-rim-other-root.
STRANGER = GpuVendor(bytes(byte ^ 0xFF for byte in PLATFORM.gpus.seed), marked=False)
GPU_ROOTS = [PLATFORM.gpus.device_root.fingerprint, PLATFORM.gpus.rim_root.fingerprint]
ROOT_KEYS = [
    PLATFORM.root_fingerprint,
    PLATFORM.snp.root_fingerprint,
    PLATFORM.nitro.root_fingerprint,
    PLATFORM.tpm.root_fingerprint,
    PLATFORM.cca.root_fingerprint,
]


def _whole(name: str, example: str) -> str:
    size = policy_forms.HEX_BYTES.get(name, 64 if name == "report_data" else 32)
    return example.replace("…", "ab" * size)


# Fields that mean nothing alone: what must be set before, and what with them, to see what they do.
BEFORE = {
    "tcb_grace_days": ("tcb_statuses",),
    **dict.fromkeys(("minimum_guest_svn", "family_id", "image_id"), ("id_key_digest",)),
    "nonce_issued_at": ("nonce", "keyset_digest"),
    "max_age_seconds": ("nonce", "keyset_digest"),
}
WITH = {
    "nonce": ("keyset_digest",),
    "keyset_digest": ("nonce",),
    "nonce_issued_at": ("max_age_seconds",),
    "max_age_seconds": ("nonce_issued_at",),
}
STATE = (
    {"tcb_grace_days": "out-of-date", "roots": "impostor-root", "gpu": "gpus-beside"}
    | dict.fromkeys(ANSWERED["sev-snp"] - ANSWERED["tdx"], "snp-up-to-date")
    | dict.fromkeys(ANSWERED["nitro"] - ANSWERED["tdx"], "nitro-in-order")
    | {"tpm": "tpm-in-order", "boot": "tpm-in-order", "cca": "cca-in-order"}
)


def changed(name: str) -> frozenset[str]:
    """Return the checks that differ because of one field."""
    evidence, before = state(STATE.get(name, "up-to-date")), BEFORE.get(name, ())
    without = verify(evidence, now=NOW, policy=policy_of(*before))
    asked = verify(evidence, now=NOW, policy=policy_of(*before, *WITH.get(name, ()), name))
    old, new = ({check.name: check for check in v.checks} for v in (without, asked))
    return frozenset(check for check in old.keys() | new.keys() if old.get(check) != new.get(check))


def test_the_page_names_every_field_and_no_other():
    assert tuple(sorted(FIELDS)) == tuple(sorted(Policy.__struct_fields__))


@pytest.mark.parametrize("table", TABLES)
def test_the_page_names_every_field_of_a_table_and_no_other(table):
    named = re.findall(rf"^\| `{table}\.(\w+)` \|", POLICY, re.MULTILINE)
    assert sorted(named) == sorted(TABLES[table].__struct_fields__)


def test_a_field_that_the_page_forgets_is_caught():
    assert "smt" not in fields(re.sub(r"(?m)^\| `smt`.*\n", "", POLICY))


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in UNCHECKED])
def test_a_field_changes_the_checks_that_the_page_names(name):
    assert changed(name) == FIELDS[name].checks


@pytest.mark.parametrize("name", sorted(UNCHECKED))
def test_what_a_policy_is_called_changes_no_check(name):
    assert changed(name) == FIELDS[name].checks == frozenset()


def test_only_the_fields_that_the_page_names_have_a_default():
    named = POLICY.partition("All are unset by default but for")[2].partition(".\n")[0]
    given = {name for name in FIELDS if getattr(Policy(), name) is not None}
    assert set(re.findall(r"`(\w+)`", named)) == given


@pytest.mark.parametrize(
    ("alone", "other"),
    [
        ("tcb_grace_days", "that field"),
        ("nonce", "`keyset_digest`"),
        ("keyset_digest", "`nonce`"),
        ("nonce_issued_at", "`nonce` or `report_data`"),
        ("max_age_seconds", "`nonce_issued_at`"),
    ],
)
def test_a_field_that_needs_another_is_refused_alone_and_the_page_says_so(alone, other):
    with pytest.raises(Usage):
        policy_of(alone)
    (row,) = re.findall(rf"^\| `{alone}`.*$", POLICY, re.MULTILINE)
    assert f"needs {other}" in row


HEADS = ("field", "code", "error")


def rows(page: str, heading: str) -> dict[str, tuple[str, ...]]:
    """Return the tables under a heading: first cell to the others."""
    part = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `?([\w\[\].]+)`? \| (.+) \|$", part, re.MULTILINE)
    return {name: tuple(rest.split(" | ")) for name, rest in found if name not in HEADS}


TOLD = set().union(
    *(rows(JSON, h) for h in ("The answer", "Checks", "Facts", "Provenance", "Input"))
)


def paths(value: Any, at: str = "") -> set[str]:
    """Return where the leaves of a JSON object stand, as the page writes it."""
    if isinstance(value, dict) and value:
        return {p for key, each in value.items() for p in paths(each, f"{at}.{key}".lstrip("."))}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return {path for each in value for path in paths(each, f"{at}[]")}
    return {at}


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    home = str(folder / "home")
    made = program("simulate", "--out", folder / "evidence", TEEPROOF_HOME=home)
    assert made.code == 0, made.err
    return folder / "evidence", home


def test_the_page_names_every_field_of_a_verdict_and_no_other(evidence):
    folder, home = evidence
    answer = program(
        "verify", folder, "--policy", folder / "policy.toml", "--json", TEEPROOF_HOME=home
    )
    tdx = {path for path in TOLD if path not in SGX_ONLY}
    assert paths(answer.json) == tdx


SGX_ONLY = {f"facts.{name}" for name in ("mrenclave", "mrsigner", "isv_prod_id", "isv_svn")}


def test_the_page_names_every_field_of_the_records():
    for kind, prefix in ((Verdict, ""), (Check, "checks[]."), (Provenance, "provenance.")):
        tops = {
            re.match(r"\w+", path[len(prefix) :])[0] for path in TOLD if path.startswith(prefix)
        }
        assert {field.name for field in msgspec.structs.fields(kind)} <= tops


@pytest.mark.parametrize("record", [r for r in each("dcap") if "sgx" in str(r.id) or r.marks])
def test_the_page_names_every_fact_of_sgx(record):
    collateral = Collateral.parse(record.read("collateral.json"))
    verdict = verify(record.read("quote.bin"), now=record.now, collateral=collateral)
    assert verdict.facts
    facts = paths({"facts": verdict.facts})
    assert SGX_ONLY <= facts <= TOLD


@pytest.mark.parametrize("name", ["snp-up-to-date", "snp-turin", "snp-version-2"])
def test_the_page_names_every_fact_of_sev_snp_and_no_other(name):
    policy = parse_policy(f"roots = []\nsimulated_roots = {json.dumps(ROOT_KEYS)}")
    facts = verify(state(name), now=NOW, policy=policy).facts
    whole = {"mitigations": None, "tcb": dict.fromkeys(facts["tcb"])}
    assert paths({"facts": facts | whole}) == set(rows(JSON, "Facts of an SEV-SNP report"))


def test_the_page_names_every_fact_of_gpus_and_no_other():
    policy = parse_policy(f"roots = []\nsimulated_roots = {json.dumps(ROOT_KEYS)}")
    told = set(rows(JSON, "Facts of GPUs and switches"))
    alone = dict(verify(state("gpu-good"), now=NOW, policy=policy).facts)
    for device in alone["devices"]:
        device["measurements"] = None  # by their numbers
    assert paths({"facts": alone}) == told
    beside = verify(state("gpus-beside"), now=NOW, policy=policy).facts
    assert set(beside["gpus"]) == set(alone)


GPU_STATE = {
    "nonce": "gpus-beside", "device_roots": "gpu-other-root", "rim_roots": "gpu-rim-other-root",
}  # fmt: skip


@pytest.mark.parametrize("field", GpuPolicy.__struct_fields__)
def test_a_field_of_the_table_changes_the_checks_that_the_page_names(field):
    (row,) = re.findall(
        rf"^\| `gpu\.{field}` \| `{field} = (.+?)` \| .+ \|(.*)\|$", POLICY, re.MULTILINE
    )
    accepted = {"simulated_roots": GPU_ROOTS} if field != "simulated_roots" else {}
    example = tomllib.loads(f"x = {row[0].replace('…', 'ab' * 32)}")["x"]
    if field.endswith("_roots"):
        example = {"device_roots": [STRANGER.device_root.fingerprint],
                   "rim_roots": [STRANGER.rim_root.fingerprint]}.get(field, GPU_ROOTS)  # fmt: skip
    policy = parse_policy(f"roots = []\nsimulated_roots = {json.dumps(ROOT_KEYS)}")
    given = state(GPU_STATE.get(field, "gpus-beside"))
    checks = [
        {check.name: check for check in verify(given, now=NOW, policy=policy.with_(gpu=gpu)).checks}
        for gpu in (accepted, accepted | {field: example})
    ]
    changed = {name for name, check in checks[1].items() if checks[0].get(name) != check}
    named = set(re.findall(r"`(.+?)`", row[1]))
    assert named <= changed
    if not field.endswith("_roots"):  # of whom a root is trusted, more may be said
        assert named == changed


def test_the_page_names_every_field_of_the_table_and_no_other():
    told = re.findall(r"^\| `gpu\.(\w+)`", POLICY, re.MULTILINE)
    assert tuple(told) == GpuPolicy.__struct_fields__


ERRORS = {error: int(row[0]) for error, row in rows(JSON, "Errors").items()}
QUOTE = "evidence/quote.bin"
PROVOKED: dict[str, tuple[str, ...]] = {
    "usage": ("--coffee",),
    "policy_unknown": (QUOTE, "--policy", "nobody"),
    "policy_key_unknown": (QUOTE, "--policy", "misspelt.toml"),
    "policy_malformed": (QUOTE, "--policy", "wrong.toml"),
    "time_malformed": (QUOTE, "--at", "tomorrow"),
    "quote_missing": ("evidence/event_log.json",),
    "endorsements_do_not_fit": (QUOTE, "--endorsements", "others"),
    "file_unknown": ("words.txt",),
    "evidence_unsupported": ("report.bin",),
    "quote_malformed": ("cut.bin",),
    "too_large": ("huge.bin",),
    "json_malformed": ("bad.json",),
    "collateral_malformed": (QUOTE, "--endorsements", "short.json"),
    "file_unavailable": ("nowhere",),
    "archive_unavailable": (QUOTE,),
    "not_evidence": ("said.json",),
    "policy_of_one_quote": ("said.proof", "--set", f"report_data={'00' * 64}"),
    "option_unused": (QUOTE, "--logs", "words.txt"),
}
FILES = {
    "misspelt.toml": b"mrdt = []",
    "wrong.toml": b'nonce = "00"',
    "words.txt": b"Dear verifier, believe me.",
    "report.bin": b"HCLA" + bytes(1180),
    "huge.bin": bytes((4 << 20) + 1),
    "bad.json": b"{",
    "short.json": b'{"pck_crl": ""}',
    "others/one.json": b"",
    "others/two.json": b"",
    "home/endorsements": b"a file where the archive's directory belongs",
}


def _said() -> dict[str, bytes]:
    world = World()
    author = workload_named("author")
    world.add(author)
    said = world.say(step(author, "train", "model"), author)
    statement = world.source.statement(said.id) or b""
    return {"said.json": statement, "said.proof": world.export(said)}


def test_the_page_has_every_error_that_is_tried_here_and_one_that_never_comes():
    assert ERRORS.keys() - PROVOKED.keys() == {"internal"}
    assert PROVOKED.keys() - ERRORS.keys() == set()


@pytest.mark.parametrize("error", sorted(PROVOKED))
def test_an_error_comes_with_the_exit_code_that_the_page_names(error, tmp_path, monkeypatch, capfd):
    given = state("up-to-date")
    sgx = json.dumps(state("sgx-collateral").collateral.to_json()).encode()
    quote = {QUOTE: given.quote, "cut.bin": given.quote[:900]}
    log = {"evidence/event_log.json": given.event_log} | _said()
    for name, content in (FILES | quote | log).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content or sgx)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEEPROOF_HOME", str(tmp_path / "home"))
    assert main(["verify", *PROVOKED[error], "--json"]) == ERRORS[error]
    answer = json.loads(capfd.readouterr().out)
    assert answer["error"] == error
    assert set(answer) == {"ok", "error", "detail", "expected", "got"}


def test_the_exit_codes_are_those_of_the_program():
    named = {int(code) for code in rows(JSON, "Exit codes")}
    ours = (running.INTERNAL, running.NOT_WRITTEN, running.INTERRUPTED, running.PIPE_CLOSED)
    assert named == {0, 1, 2, 3, 4, *ours}


def anchors(page: str) -> set[str]:
    """Return what links may name: each heading in the form that GitHub gives it."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/**/*.md")), ids=lambda p: p.name)
def test_every_link_to_a_heading_leads_to_one(page):
    links = re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", page.read_text())
    wrong = [
        (path, heading)
        for path, heading in links
        if heading not in anchors((page.parent / path if path else page).read_text())
    ]
    assert wrong == []

"""The browser's checker and the command say the same of machines, in every state that there is.

What the browser does not look at is listed here by the command's own names of checks: only these
may be wrong where the browser shows no red.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from teeproof.core.errors import Error
from teeproof.evidence import sgx
from teeproof.evidence.naming import name_evidence
from teeproof.evidence.policy import parse_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.policies import (
    nitro_opt_in_policy,
    opt_in_policy,
    snp_opt_in_policy,
)
from teeproof.evidence.simulated.states import STATES
from teeproof.proof.file import ProofFile
from teeproof.proof.verify import Trust, verify_proof
from teeproof.proof.workload import Identity
from tests.evidence.nitro.scenes import genuine
from tests.explorer.checking import HARNESS, green, results, trusted
from tests.proof.people import NOW, attester, platform
from tests.vectors import each

# docs/reference/browser-check.md says so to the visitor
VENDORS_WORD = {
    "tcb-status", "tcb-level", "tdx-module", "qe-measurement", "pck-revocation", "tcb-info",
    "qe-identity", "collateral-dates", "collateral-platform", "vek-revocation",
}  # fmt: skip
POLICY = {
    "service-td", "migration", "sept-ve-disable", "td-attributes", "vmpl", "reserved-bits",
    "masked-chip-id", "vlek",
}  # fmt: skip
MEASURED = {"tcg-log-replay"}
KINDS = {"snp-": snp_opt_in_policy, "nitro-": nitro_opt_in_policy}
OTHERS = ("tpm-", "azure-", "cca-")
BESIDE = {name for name in STATES if name.startswith("gpus-") or "-tpm" in name}


def policy_of(name: str):
    made = next((make for start, make in KINDS.items() if name.startswith(start)), opt_in_policy)
    return parse_policy(made(platform()))


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Of each state what the command finds, and what a browser does."""
    folder = tmp_path_factory.mktemp("states")
    groups: dict[str, dict[str, tuple[bytes, object]]] = {}
    for name in STATES:
        try:
            identity = Identity.boot(attester(state=name), now=lambda: NOW)
        except Error:  # nothing names it, so that no workload starts there
            continue
        path = folder / f"{name}.proof"
        identity.seal("answer", outputs={"a.txt": b"42"}).save(path)
        policy = policy_of(name)
        with ProofFile.open(path) as proof:
            verdict = verify_proof(proof, now=NOW, trust=Trust(policy=policy))
        key = json.dumps(sorted(policy.simulated_roots))
        groups.setdefault(key, {})[name] = (path.read_bytes(), verdict)
    found = {}
    for roots, cases in groups.items():
        trust = trusted(None, "", NOW) | {"roots": json.loads(roots)}
        told = results(folder, HARNESS, [case for case, _ in cases.values()], trust)
        found |= {name: (cases[name][1], told[at]) for at, name in enumerate(cases)}
    return found


@pytest.mark.parametrize("name", STATES)
def test_the_command_says_the_same_of_a_machine_in_this_state(judged, name):
    if name not in judged:  # no workload starts on such a machine, so there is no proof of one
        with pytest.raises(Error):
            Identity.boot(attester(state=name), now=lambda: NOW)
        return
    verdict, told = judged[name]
    faults = {fault.check.name for fault in verdict.faults}
    if name.startswith(OTHERS) or name in BESIDE:
        assert told["answer"] == "not_checked", told
    elif faults - VENDORS_WORD - POLICY - MEASURED:
        assert told["answer"] == "failed", (faults, told)
    else:
        # one is under a root that is none of the accepted ones, which the command finds otherwise
        assert green(told) or (faults and told["failed"] == ["root"]), (faults, told)


def test_states_of_each_kind_hold_and_fail(judged):
    for start in ("snp-", "nitro-", "debug"):
        answers = {told["answer"] for name, (_, told) in judged.items() if name.startswith(start)}
        assert "failed" in answers
    assert green(judged["snp-up-to-date"][1])
    assert green(judged["snp-vlek"][1])
    assert green(judged["nitro-in-order"][1])


@pytest.mark.parametrize("name", ["migratable", "service-td", "snp-migration-agent"])
def test_host_that_may_move_a_machine_is_not_said_to_be_kept_out(judged, name):
    details = " ".join(judged[name][1]["details"])
    assert "debug mode is off" in details
    assert "cannot look" not in details


EVIDENCE = """
const results = [];
const { kind, time, certificates } = JSON.parse(document.getElementById("trust").textContent);
const pem = certificates ? new TextEncoder().encode(certificates) : undefined;
for (const given of JSON.parse(document.getElementById("cases").textContent)) {
  let found;
  try {
    const vendor = { tdx: $tdx, snp: $snp, nitro: $nitro }[kind];
    const bytes = $bytes.fromBase64(given);
    const trust = { roots: [], time, certificates: pem };
    const { id, reportData, rows } = await vendor.verify(bytes, trust);
    found = { id, reportData: $bytes.hex(reportData), rows };
  } catch (error) {
    found = { refused: error.constructor.name, why: error.message };
  }
  results.push(found);
}
document.getElementById("out").textContent = JSON.stringify(results);
"""


def flipped(raw: bytes, places: list[int]) -> list[bytes]:
    return [raw[:at] + bytes([raw[at] ^ 4]) + raw[at + 1 :] for at in places]


def bad(found: dict) -> bool:
    return found.get("refused") == "Refused" or "failed" in [state for _, state, _ in found["rows"]]


def failed(found: dict) -> set[str]:
    return {name for name, state, _ in found["rows"] if state == "failed"}


@pytest.mark.parametrize("record", each("dcap", lambda record: record.id.startswith("tdx-v")))
def test_a_real_quote_leads_to_intels_root_and_no_bit_of_it_may_change(tmp_path, record):
    quote = next(p for p in record.path.iterdir() if "quote" in p.name).read_bytes()
    signed = 48 + 584 if quote[0] == 4 else 54 + 648
    places = [0, 6, 48, 200, signed - 1, signed + 4, signed + 70, signed + 140, signed + 600]
    trust = {"kind": "tdx", "time": int(record.now.timestamp())}
    first, *rest = results(tmp_path, EVIDENCE, [quote, *flipped(quote, places)], trust)
    assert failed(first) <= {"debug"}, first
    assert first["rows"][0][1] == "passed", "Intel's root"
    assert first["id"] == name_evidence(Evidence(quote=quote, name=record.id))[1]
    for at, one in zip(places, rest, strict=True):
        assert bad(one), f"byte {at}: {one}"


@pytest.mark.parametrize("record", each("dcap", lambda record: record.id.startswith("sgx-v3")))
def test_a_real_sgx_quote_leads_to_intels_root_and_no_bit_of_it_may_change(tmp_path, record):
    quote = record.read("quote.bin")
    signed = 48 + 384
    places = [0, 4, 12, 48, 112, signed - 1, signed, signed + 4, signed + 70, signed + 140,
              signed + 520, signed + 580, signed + 900]  # fmt: skip
    trust = {"kind": "tdx", "time": int(record.now.timestamp())}
    cases = [quote, *flipped(quote, places), quote[:-1], quote[: signed + 300]]
    first, *rest = results(tmp_path, EVIDENCE, cases, trust)
    assert failed(first) <= {"debug"}, first
    assert first["rows"][0][1] == "passed", "Intel's root"
    assert first["id"] == name_evidence(Evidence(quote=quote, name=record.id))[1]
    assert first["reportData"] == quote[48 + 320 : signed].hex()
    assert ("debug" in failed(first)) == sgx.is_debug(quote[48:signed])
    for at, one in zip([*places, "end", "middle"], rest, strict=True):
        assert bad(one), f"byte {at}: {one}"


def certificates_of(path: Path) -> bytes:
    from teeproof.evidence.der import armoured

    ders = [armoured(p.read_bytes()) for p in sorted(path.glob("*.der"))]
    return b"".join([*ders, *(p.read_bytes() for p in sorted(path.glob("*.pem")))])


SNP: dict[str, set[str]] = {  # what is whole, and leads to AMD's root; and what fails of it
    "milan-virtee": set(), "milan-google-debug": {"debug"}, "milan-vlek-trustee": set(),
    "milan-azure-hcl-vtpm": set(),
}  # fmt: skip


@pytest.mark.parametrize("record", each("snp", lambda record: record.id in SNP))
def test_a_real_report_leads_to_amds_root_and_no_bit_of_it_may_change(tmp_path, record):
    report = record.read("report.bin")
    places = [0, 8, 0x50, 0x90, 0x180, 0x1A0, 0x29F, 0x2A0, 0x2E8, 0x2D0, 0x400]
    trust = {
        "kind": "snp",
        "time": int(NOW.timestamp()),
        "certificates": certificates_of(record.path).decode(),
    }
    first, *rest = results(tmp_path, EVIDENCE, [report, *flipped(report, places)], trust)
    assert failed(first) <= SNP[record.id] | {"certificate dates"}, first
    assert first["rows"][0][1:] == ["passed", "AMD's root, which is built in here"]
    assert first["id"] == name_evidence(Evidence(quote=report, name=record.id))[1]
    assert first["reportData"] == report[0x50:0x90].hex()
    for at, one in zip(places, rest, strict=True):
        assert bad(one), f"byte {at}: {one}"


@pytest.mark.parametrize("record", each("nitro"))
def test_a_real_document_leads_to_awss_root_and_no_bit_of_it_may_change(tmp_path, record):
    document, time = genuine(record).raw, genuine(record).seconds
    places = [0, 4, 20, 100, len(document) // 2, len(document) - 50, len(document) - 1]
    trust = {"kind": "nitro", "time": time}
    first, *rest = results(tmp_path, EVIDENCE, [document, *flipped(document, places)], trust)
    assert failed(first) == ({"debug"} if "debug" in record.id else set()), first
    assert first["rows"][0][1:] == ["passed", "AWS's root, which is built in here"]
    assert first["id"] == name_evidence(Evidence(quote=document, name=record.id))[1]
    for place, one in zip(places, rest, strict=True):
        assert bad(one), f"byte {place}: {one}"
    (late,) = results(tmp_path, EVIDENCE, [document], trust | {"time": time + 86_400})
    assert "certificate dates" in failed(late)

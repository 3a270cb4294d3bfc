"""The browser and the command agree about files that somebody wrote with care, and that nobody did.

Two directions: what is green in a browser, the command accepts; what it accepts is not red there.
"""

from __future__ import annotations

import base64
import json
import random
import zipfile
from io import BytesIO
from typing import Any

import pytest

from teeproof.cli.demo_proof import tell
from teeproof.core.clock import wall_clock
from teeproof.core.errors import Error
from teeproof.evidence.policy import parse_policy
from teeproof.proof.envelope import pae
from teeproof.proof.file import ProofFile
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.verify import Trust, verify_proof
from tests.explorer import forging
from tests.explorer.checking import HARNESS, green, results, trusted, written
from tests.explorer.forging import body_of, dumps, identity_of, proof_of, receipt_of, workload
from tests.explorer.test_checker_evidence import MEASURED, VENDORS_WORD
from tests.proof.people import NOW
from tests.proof.people import policy as people_policy

MUTATIONS = 200
OTHER = "sha256:" + "cd" * 32


def command(proof: bytes, policy: Any, logs: str, now: Any) -> set[str]:
    """The names of the checks that fail; ``refused`` where the file cannot be opened."""
    trust = Trust(policy=policy, logs=TlogPolicy.parse(logs) if logs else None)
    try:
        with ProofFile.from_bytes(proof) as file:
            verdict = verify_proof(file, now=now, trust=trust)
    except Error as error:
        return {f"refused: {error.code}"}
    return {fault.check.name for fault in verdict.faults}


def agree(name: str, faults: set[str], told: dict[str, Any]) -> None:
    assert told.get("refused", "Refused") == "Refused", f"{name}: the checker broke: {told}"
    if faults - VENDORS_WORD - MEASURED:
        assert not green(told), f"{name}: green, and the command says {faults}"
    if not faults:
        assert "refused" not in told, f"{name}: refused, and the command accepts it: {told}"
        assert told["answer"] != "failed", f"{name}: red, and the command accepts it: {told}"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    tell(folder, wall_clock)
    proof = next(folder.glob("*.proof")).read_bytes()
    policy = parse_policy((folder / "policy.toml").read_bytes())
    return proof, policy, (folder / "trusted-logs").read_text()


def members_of(proof: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(proof)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# --- what a server can do, who has no keys: members, and JSON that nobody signed ---


def mutated(proof: bytes, drawn: random.Random) -> bytes:
    """A file with one or two members changed at random, written in the one way of archives."""
    members = members_of(proof)
    for _ in range(drawn.choice((1, 1, 2))):
        drawn.choice(CHANGES)(members, drawn)
    return written(members, in_order=drawn.random() > 0.05)


def _json(members: dict[str, bytes], drawn: random.Random) -> None:
    names = [n for n in members if n.endswith(".json")]
    name = drawn.choice(names)
    try:
        value = json.loads(members[name])
    except ValueError:  # an earlier change broke it
        return
    parent, key = _somewhere(value, drawn)
    if parent is not None:
        drawn.choice(_EDITS)(parent, key, drawn)
        members[name] = dumps(value)


def _somewhere(value: Any, drawn: random.Random) -> tuple[Any, Any]:
    places = []
    waiting = [value]
    while waiting:
        node = waiting.pop()
        keys = node.keys() if isinstance(node, dict) else range(len(node))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], dict | list):
                waiting.append(node[key])
    return drawn.choice(places) if places else (None, None)


def _set(values: list[Any]) -> Any:
    def edit(parent: Any, key: Any, drawn: random.Random) -> None:
        parent[key] = drawn.choice(values)

    return edit


def _drop(parent: Any, key: Any, drawn: random.Random) -> None:
    del parent[key]


def _add(parent: Any, key: Any, drawn: random.Random) -> None:
    if isinstance(parent, dict):
        parent[drawn.choice(["a", "zz", "__proto__", "identity", "\u00e9"])] = drawn.choice([1, ""])
    else:
        parent.append(parent[key])


def _text(parent: Any, key: Any, drawn: random.Random) -> None:
    if isinstance(parent[key], str) and parent[key]:
        at = drawn.randrange(len(parent[key]))
        parent[key] = parent[key][:at] + drawn.choice("aA0+/= ") + parent[key][at + 1 :]


def _swap(parent: Any, key: Any, drawn: random.Random) -> None:
    if isinstance(parent, list) and len(parent) > 1:
        drawn.shuffle(parent)


_EDITS = [
    _set([None, True, 0, -1, 1.5, 2**53, "", "x", [], {}, 3, 2]), _drop, _add, _text, _swap,
]  # fmt: skip


def _bytes(members: dict[str, bytes], drawn: random.Random) -> None:
    name = drawn.choice(list(members))
    data = members[name] or b"\0"
    at = drawn.randrange(len(data))
    change = drawn.choice((b"", data[at : at + 1] * 2, bytes([data[at] ^ 1 << drawn.randrange(8)])))
    members[name] = data[:at] + change + data[at + 1 :]


def _ends(members: dict[str, bytes], drawn: random.Random) -> None:
    name = drawn.choice(list(members))
    end = drawn.choice((b"\n", b" ", b"\0", b"\xef\xbb\xbf"))
    members[name] = drawn.choice((members[name] + end, end + members[name]))


def _member(members: dict[str, bytes], drawn: random.Random) -> None:
    name = drawn.choice(list(members))
    more = drawn.choice((
        f"blobs/{'ab' * 32}", "readme.txt", "log/demo.example%2flog/nodes", "trust/roots.pem",
        name + "x", name.upper(), "/" + name, name.replace("0", "1"), "mimetype",
    ))  # fmt: skip
    if drawn.random() < 0.5:
        members[more] = members[name]
    if drawn.random() < 0.5:
        del members[name]


def _blob(members: dict[str, bytes], drawn: random.Random) -> None:
    data = drawn.randbytes(20)
    members[f"blobs/{forging.sha256(data).hex()}"] = data


def _note(members: dict[str, bytes], drawn: random.Random) -> None:
    name = drawn.choice([n for n in members if "/checkpoints/" in n])
    lines = members[name].split(b"\n")
    at = drawn.randrange(len(lines))
    drawn.choice((
        lambda: lines.insert(at, lines[at]), lambda: lines.pop(at), lambda: lines.insert(at, b""),
        lambda: lines.insert(at, "— else.example/w AAAAAAAA".encode()),
        lambda: lines.insert(at, lines[at] + b"\r"),
    ))()  # fmt: skip
    members[name] = b"\n".join(lines)


CHANGES = [_json, _json, _json, _bytes, _ends, _member, _blob, _note]


def test_server_writes_files_at_random_and_both_say_the_same(tmp_path, demo):
    proof, policy, logs = demo
    drawn = random.Random(2026)
    cases = [proof, *(mutated(proof, drawn) for _ in range(MUTATIONS))]
    now = wall_clock()
    told = results(tmp_path, HARNESS, cases, trusted(policy, logs, now))
    faults = [command(case, policy, logs, now) for case in cases]
    for number, (fault, one) in enumerate(zip(faults, told, strict=True)):
        agree(f"mutation {number}", fault, one)
    assert sum(map(bool, faults)) > MUTATIONS * 0.8, "most of them are refused"
    assert not faults[0]
    assert green(told[0])


# --- what a workload can do, who holds its keys ---


def statements() -> dict[str, bytes]:
    author, other = workload("receipt"), workload()
    step = {"author": author.name, "step": "answer"}

    def said(**changes: Any) -> bytes:
        return proof_of([dumps(body_of(author, **changes))], author)

    def predicate(**more: Any) -> bytes:
        return said(predicate=step | more)

    def subject(*found: Any) -> bytes:
        return said(subject=list(found))

    def made_of(**more: Any) -> bytes:
        return predicate(materials=[{"digest": {"sha256": "ab" * 32}, "role": "x"} | more])

    plain = dumps(body_of(author))
    digest = {"sha256": "ab" * 32}
    deep: Any = 1
    for _ in range(70):
        deep = [deep]
    foreign = "https://slsa.dev/provenance/v1"
    builder = {"builder": {"id": f"urn:teeproof:identity:{author.name}"}}
    dependencies = {"resolvedDependencies": [{"digest": {"sha256": "cd" * 32}}]}

    def slsa(**more: Any) -> bytes:
        given = {"runDetails": builder, "buildDefinition": dependencies} | more
        return said(predicateType=foreign, predicate=given)

    cases = {
        "as it should be": said(),
        "by two": proof_of([dumps(body_of(author, predicate=step | {"cosigners": [other.name]}))],
                           author, other),
        "parameters": predicate(parameters={"seed": "1"}),
        "an unknown field": predicate(more="x"),
        "a default spelt out": predicate(parameters={}),
        "no cosigners spelt out": predicate(cosigners=[]),
        "no step": said(predicate={"author": author.name}),
        "a step that is a number": predicate(step=1),
        "parameters that are numbers": predicate(parameters={"seed": 1}),
        "the author cosigns": predicate(cosigners=[author.name]),
        "a cosigner twice": predicate(cosigners=[other.name, other.name]),
        "a cosigner who did not": predicate(cosigners=[other.name]),
        "an author in capitals": predicate(author=author.name.upper()),
        "no author": said(predicate={"step": "answer"}),
        "nobody": predicate(author="sha256:" + "00" * 32),
        "another _type": said(_type="https://in-toto.io/Statement/v0.1"),
        "a field more": said(more=1),
        "no subject": said(subject=[]),
        "a subject without SHA-256": subject({"digest": {"sha512": "ab" * 64}}),
        "a subject with two digests": subject({"digest": digest | {"sha512": "ab" * 64}}),
        "a subject with a short digest": subject({"digest": digest | {"sha512": "ab"}}),
        "a digest in capitals": subject({"digest": {"sha256": "AB" * 32}}),
        "a digest of an unknown kind": subject({"digest": digest | {"gost": "ab1"}}),
        "a digest with a name of a prototype": subject({"digest": digest | {"constructor": "ab"}}),
        "a subject with a null": subject({"digest": digest, "name": None}),
        "a subject with a field more": subject({"digest": digest, "x": "y"}),
        "a subject with a media type": subject({"digest": digest, "mediaType": "text/plain"}),
        "of itself": made_of(),
        "of nothing known": made_of(digest={"sha256": "cd" * 32}),
        "of a statement that is missing": made_of(statement=OTHER),
        "of what is no statement": made_of(statement="sha256:xyz"),
        "a material without a role": made_of(role=""),
        "a material with a null": made_of(statement=None),
        "a fraction": said(predicateType="urn:x:y", predicate={"x": 1.5}),
        "a large number": said(predicateType="urn:x:y", predicate={"x": 2**53}),
        "nested deeply": said(predicateType="urn:x:y", predicate={"x": deep}),
        "a foreign type": said(predicateType="urn:x:y", predicate={"x": 1}),
        "a type of ours that is unknown": said(predicateType="urn:teeproof:new:v1"),
        "an unknown type of ours without an author": said(
            predicateType="urn:teeproof:new:v1", predicate={}
        ),
        "a type with a prototype's name": said(predicateType="constructor", predicate={}),
        "provenance": slsa(),
        "provenance of a commit": slsa(
            buildDefinition={"resolvedDependencies": [{"digest": {"gitCommit": "ab" * 20}}]}
        ),
        "provenance of a missing statement": slsa(buildDefinition={"resolvedDependencies": [
            {"digest": {"sha256": "cd" * 32}, "uri": f"urn:teeproof:statement:{OTHER}"}]}),
        "provenance of a word": slsa(buildDefinition={"resolvedDependencies": ["x"]}),
        "provenance of nothing": slsa(buildDefinition={"resolvedDependencies": [{}]}),
        "provenance of nobody": slsa(runDetails={}),
        "keys beyond the first plane": predicate(parameters={"\U00010000": "a", "\uffff": "b"}),
        "keys in no order": proof_of([plain.replace(b'"_type"', b'"zz":1,"_type"', 1)], author),
        "a space": proof_of([plain + b" "], author),
        "a key twice": proof_of([plain.replace(b'{"_type"', b'{"_type":"","_type"')], author),
        "an escape that needs none": proof_of([plain.replace(b"answer", b"\\u0061nswer")], author),
        "half a character": proof_of([plain.replace(b"answer", b"\\ud800")], author),
        "not UTF-8": proof_of([plain.replace(b"answer", b"\xff")], author),
        "a control character": proof_of([plain.replace(b'"answer"', b'"\\u0001"')], author),
        "minus zero": said(predicateType="urn:x:y", predicate={"x": -0.0}),
        "no payload": proof_of([b""], author),
        "a word": proof_of([b'"x"'], author),
    }  # fmt: skip
    weak = forging.signed_with_weak_r(author.keyring.secret("statement"), pae(plain))

    def with_weak_r(envelope: Any) -> None:
        envelope["signatures"][0]["sig"] = base64.b64encode(weak).decode()

    cases["a signature with a weak R"] = proof_of([plain], author, change=with_weak_r)
    for name, change in ENVELOPES.items():
        cases[f"an envelope with {name}"] = proof_of([plain], author, change=change)
    return cases


def _more_signatures(envelope: Any) -> None:
    envelope["signatures"] *= 17


def _second_signature(envelope: Any) -> None:
    envelope["signatures"].append({"keyid": "other", "sig": "AAAA"})


def _empty_signature(envelope: Any) -> None:
    envelope["signatures"].append({"keyid": "", "sig": ""})


def _number(envelope: Any) -> None:
    envelope["signatures"][0]["keyid"] = 1


def _no_signature(envelope: Any) -> None:
    envelope["signatures"] = []


def _field(envelope: Any) -> None:
    envelope["event_log"] = []


def _receipt(envelope: Any) -> None:
    envelope["api_version"] = "aci/1"


ENVELOPES = {
    "seventeen signatures": _more_signatures, "a second signature": _second_signature,
    "an empty signature": _empty_signature, "a number as key id": _number,
    "no signature": _no_signature, "a receipt's field": _field, "a receipt's version": _receipt,
}  # fmt: skip


def receipts() -> dict[str, bytes]:
    server = workload("receipt")
    asked = {"body_hash": OTHER, "type": "request.received"}
    answered = {"body_hash": OTHER, "type": "response.returned"}
    model = {"digest": OTHER, "type": "x.model"}

    def events(*found: Any) -> bytes:
        return receipt_of(server, event_log=list(found))

    return {
        "a receipt": receipt_of(server),
        "another key": receipt_of(server, key_id="else"),
        "no key": receipt_of(server, key_id=None),
        "another keyset": receipt_of(server, workload_keyset_digest=OTHER),
        "another version": receipt_of(server, api_version="aci/2"),
        "a payload": receipt_of(server, payload="AAAA"),
        "attachments": receipt_of(server, attachments={}),
        "a fraction": receipt_of(server, more=0.5),
        "a field more": receipt_of(server, more="x"),
        "a name beyond ASCII": receipt_of(server, é=1),
        "no events": events(),
        "an answer first": events(answered, asked),
        "two answers": events(asked, answered, answered),
        "a body without a digest": events(asked, {"type": "response.returned"}),
        "a body of another event": events(asked, {"body_hash": "x", "type": "x.more"}),
        "an event without a type": events(asked, {"x": 1}),
        "an event that is a word": events(asked, "x"),
        "an event whose type is a number": events(asked, {"type": 1}),
        "a model": events(asked, model),
        "a model that is missing": events(asked, model | {"statement": OTHER}),
        "a model that says null": events(asked, model | {"statement": None}),
        "a link without a role": events(asked, {"digest": OTHER, "type": "x.links"}),
        "a link": events(asked, {"digest": OTHER, "role": "prompt", "type": "x.links"}),
        "too many events": events(asked, *[{"type": "x.more"}] * 4096),
    }


def identities() -> dict[str, bytes]:
    def keys(change: Any) -> Any:
        return lambda claim: change(claim["keys"])

    def first(**more: Any) -> Any:
        return keys(lambda document: document["keys"][0].update(more))

    def edit(**more: Any) -> Any:
        return keys(lambda document: document.update(more))

    def claimed(**more: Any) -> Any:
        return lambda claim: claim.update(more)

    def add(role: str, algorithm: str, public_key: str, **more: Any) -> Any:
        key = {"role": role, "algorithm": algorithm, "public_key": public_key} | more
        place = 0 if role < "statement" else 1
        return keys(lambda document: document["keys"].insert(place, key))

    def hidden(claim: Any) -> None:
        # the X25519 twin of the statement key: one secret in two roles
        from nacl.bindings import crypto_sign_ed25519_pk_to_curve25519 as twin

        held = next(k for k in claim["keys"]["keys"] if k["role"] == "statement")
        key = twin(bytes.fromhex(held["public_key"])).hex()
        claim["keys"]["keys"].insert(0, {"role": "e2ee", "algorithm": "x25519", "public_key": key})

    begin = int(NOW.timestamp())
    every = ("receipt", "chain", ("legacy", "ed25519"), ("legacy", "secp256k1"), "seal", "e2ee",
             "tls", "model", "log", "witness", "verdict")  # fmt: skip
    return {
        "as it should be": identity_of(lambda _: None),
        "keys of every role": identity_of(lambda _: None, *every),
        "a hybrid key": identity_of(lambda _: None, ("seal", "mlkem768-x25519")),
        "a nonce": identity_of(claimed(nonce="0" * 64)),
        "a long nonce": identity_of(claimed(nonce="\U0001f600" * 256)),
        "too long a nonce": identity_of(claimed(nonce="x" * 257)),
        "a nonce that is null": identity_of(claimed(nonce=None)),
        "a field more": identity_of(claimed(more="x")),
        "evidence of no kind": identity_of(claimed(evidence=[{}])),
        "two pieces of evidence": identity_of(claimed(evidence=[{"id": OTHER, "kind": "tdx"}] * 2)),
        "other evidence": identity_of(claimed(evidence=[{"id": OTHER, "kind": "tdx"}])),
        "keys out of order": identity_of(keys(lambda d: d["keys"].reverse()), "receipt"),
        "keys that live too long": identity_of(edit(not_after=begin + 31 * 86_400)),
        "keys that live for 30 days": identity_of(edit(not_after=begin + 30 * 86_400)),
        "keys that end before they begin": identity_of(edit(not_after=begin)),
        "keys of tomorrow": identity_of(edit(not_before=begin + 86_400)),
        "keys of yesterday": identity_of(edit(not_before=begin - 86_400, not_after=begin - 1)),
        "keys that begin with 1970": identity_of(edit(not_before=0)),
        "keys of another type": identity_of(edit(type="urn:teeproof:keys:v2")),
        "a document with a field more": identity_of(edit(more=1)),
        "an identity before it": identity_of(edit(previous=OTHER)),
        "no identity before it": identity_of(edit(previous=None)),
        "a key with a field more": identity_of(first(more="x")),
        "a key with a domain": identity_of(first(domain="a.example")),
        "a tls key with a domain": identity_of(
            keys(lambda d: d["keys"][1].update(domain="a.example")), "tls"
        ),
        "a tls key with no domain": identity_of(
            keys(lambda d: d["keys"][1].update(domain="a_b.example")), "tls"
        ),
        "a role that there is not": identity_of(first(role="seller")),
        "a role with a prototype's name": identity_of(first(role="constructor")),
        "an algorithm of another role": identity_of(first(algorithm="p256")),
        "another's key": identity_of(add("witness", "ed25519", forging.PUBLIC)),
        "a weak key": identity_of(add("witness", "ed25519", "01" + "00" * 31)),
        "a key that is no point": identity_of(add("witness", "ed25519", "02" + "00" * 31)),
        "a key in capitals": identity_of(first(public_key="AB" * 32)),
        "a short key": identity_of(add("witness", "ed25519", "ab")),
        "a sealing key of small order": identity_of(add("seal", "x25519", "00" * 32)),
        "a hidden key": identity_of(hidden),
        "a hybrid key that is none": identity_of(add("seal", "mlkem768-x25519", "ff" * 1216)),
        "no statement key": identity_of(keys(lambda d: d.update(keys=d["keys"][:1])), "receipt"),
    }  # fmt: skip


GROUPS = {"statements": statements, "receipts": receipts, "identities": identities}


@pytest.fixture(scope="module")
def forged(tmp_path_factory):
    found = {}
    folder = tmp_path_factory.mktemp("forged")
    for group, make in GROUPS.items():
        cases = make()
        policy = people_policy()
        told = results(folder, HARNESS, cases.values(), trusted(policy, "", NOW))
        found[group] = {
            name: (command(case, policy, "", NOW), one)
            for (name, case), one in zip(cases.items(), told, strict=True)
        }
    return found


@pytest.mark.parametrize("group", GROUPS)
def test_workload_signs_what_no_format_allows_and_both_say_the_same(forged, group):
    differ = []
    for name, (faults, told) in forged[group].items():
        try:
            agree(name, faults, told)
        except AssertionError as error:
            differ.append(str(error))
    assert not differ, "\n".join(differ)


@pytest.mark.parametrize("group", GROUPS)
def test_some_of_what_workloads_sign_is_right_and_most_is_not(forged, group):
    right = [name for name, (faults, _) in forged[group].items() if not faults]
    assert right, "a test in which nothing is right says little"
    assert len(right) < len(forged[group]) / 2 + 8
    assert any(green(told) for _, told in forged[group].values())

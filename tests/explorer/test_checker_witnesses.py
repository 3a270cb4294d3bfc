"""Witnesses who sign with ML-DSA-44, in the browser's checker: it counts whom the command does."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest

from teeproof.core.errors import Error
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.cosignature import Cosigner, subtree_message
from teeproof.proof.log.formats.note import (
    COSIGNATURE_MLDSA,
    NoteSigner,
    SignatureLine,
    VerifierKey,
)
from teeproof.proof.log.formats.policy import TlogPolicy
from tests.explorer.checking import results
from tests.proof.log.formats import test_cosignature as cosignatures
from tests.proof.log.formats.samples import LOG, WITNESSES, checkpoint, with_signature
from tests.proof.log.formats.test_cosignature import PQ, SECRET, TIME, mldsa_line

FLIPS = 60

HARNESS = """
const results = [];
const bytes = $bytes.fromHex;
for (const given of JSON.parse(document.getElementById("trust").textContent)) {
  try {
    if (given.key) {
      const [key, message, sig] = [given.key, given.message, given.sig].map((one) => bytes(one));
      results.push($curves.mldsa44(key, message, sig));
    } else {
      const note = $notes.checkpoint(bytes(given.note));
      const trusted = await $notes.policy(given.policy);
      results.push(await $notes.quorumTime(note, trusted, given.now, new Set()));
    }
  } catch (error) {
    results.push(error.message);
  }
}
document.getElementById("out").textContent = JSON.stringify(results);
"""

NOW = TIME + 60
ALONE = f"log {LOG.verifier.text()}\nwitness P {PQ.text()}\nquorum P\n"
BOTH = (
    f"log {LOG.verifier.text()}\nwitness P {PQ.text()}\nwitness E {WITNESSES[0].verifier.text()}\n"
    "group G all P E\nquorum G\n"
)
ED25519 = WITNESSES[0].cosign(checkpoint().note.text, time=TIME - 5)


def case(policy: str, *lines: SignatureLine) -> tuple[str, SignedCheckpoint]:
    signed = checkpoint()
    for line in lines:
        signed = signed.with_(line)
    return policy, signed


def browser(folder, cases: list[dict[str, Any]]) -> list[Any]:
    return results(folder, HARNESS, [], cases)


def agree(folder, cases: dict[str, tuple[str, SignedCheckpoint]]) -> dict[str, int | None]:
    given = [
        {"policy": policy, "note": signed.note.encode().hex(), "now": NOW}
        for policy, signed in cases.values()
    ]
    told = dict(zip(cases, browser(folder, given), strict=True))
    for name, (policy, signed) in cases.items():
        judged = TlogPolicy.parse(policy).judge(signed, now=NOW)
        assert told[name] == (judged.time if judged.quorum else None), name
    return told


def test_witness_signs_with_ml_dsa_over_this_tree_or_something_else(tmp_path):
    wrong = {
        "another name": mldsa_line(name="other.example/witness"),
        "a subtree": mldsa_line(start=1),
        "another label": mldsa_line(label=b"subtree/v2\n\0"),
        "another size": mldsa_line(checkpoint(69).note.text),
        "zeros": with_signature(mldsa_line(), bytes(2428)),
        "ones": with_signature(mldsa_line(), b"\0" * 7 + b"\1" + b"\xff" * 2420),
        "Ed25519": with_signature(mldsa_line(), ED25519.signature),
        "no time": mldsa_line(time=0),
        "a time to come": mldsa_line(time=NOW + 400),
    }
    cases = {name: case(ALONE, line) for name, line in wrong.items()}
    cases |= {
        "held": case(ALONE, mldsa_line()),
        "nobody": case(ALONE),
        "both": case(BOTH, mldsa_line(), ED25519),
        "one of two": case(BOTH, mldsa_line()),
        "one that does not hold": case(BOTH, mldsa_line(start=1), ED25519),
    }
    told = agree(tmp_path, cases)
    assert (told["held"], told["both"]) == (TIME, TIME)
    assert {name for name, time in told.items() if time is not None} == {"held", "both"}


def test_network_flips_bits_of_an_ml_dsa_cosignature(tmp_path):
    drawn = random.Random(44)
    line = mldsa_line()
    cases = {"held": case(ALONE, line)}
    for at in [8, 40, 2427, *drawn.sample(range(8, 2428), FLIPS)]:
        changed = bytearray(line.signature)
        changed[at] ^= 1 << drawn.randrange(8)
        cases[f"byte {at}"] = case(ALONE, with_signature(line, bytes(changed)))
    told = agree(tmp_path, cases)
    assert told.pop("held") == TIME
    assert set(told.values()) == {None}


def test_names_that_the_form_cannot_hold_are_signed_by_nobody(tmp_path):
    long = VerifierKey("n" * 256, COSIGNATURE_MLDSA, PQ.public_key)
    line = SignatureLine(long.name, long.key_id, mldsa_line().signature)
    policy = f"log {LOG.verifier.text()}\nwitness P {long.text()}\nquorum P\n"
    assert agree(tmp_path, {"long": case(policy, line)}) == {"long": None}


def published() -> dict[str, str]:
    """A signature that others published: by Torchwood, of a subtree."""
    here = cosignatures.Path(cosignatures.__file__).parent
    vkey, line = (here / "torchwood.txt").read_bytes().splitlines()
    key = VerifierKey.parse(vkey.decode())
    (signed,) = SignatureLine.parse_lines(line + b"\n")
    root = base64.b64decode("E7ERCtFloiK1fdb+B6/dLG0pM1nmIR0ETKBSauCjtVw=")
    message = subtree_message(key.name, "example.com/log", time=0, start=8, end=13, root=root)
    return {
        "key": key.public_key.hex(),
        "message": message.hex(),
        "sig": signed.signature[8:].hex(),
    }


@pytest.mark.parametrize("field", ["key", "message", "sig"])
def test_a_published_signature_holds_and_its_twin_one_byte_away_does_not(tmp_path, field):
    true = published()
    digits = true[field]
    twin = true | {field: digits[:80] + ("0" if digits[80] != "0" else "1") + digits[81:]}
    short = true | {field: digits[:-2]}
    told = browser(tmp_path, [true, twin, short])
    assert told[:2] == [True, False]
    assert told[2] is False


def test_a_signature_with_a_context_is_of_another_message(tmp_path):
    key = SECRET.public_key().public_bytes_raw().hex()
    plain = {"key": key, "message": b"a".hex()}
    signed = [SECRET.sign(b"a"), SECRET.sign(b"a", context=b"c")]
    told = browser(tmp_path, [plain | {"sig": sig.hex()} for sig in signed])
    assert told == [True, False]


SAME = [
    ("STRASSE.example", "stra\u00dfe.example"), ("log.\u03c3.example", "\u03a3.example"),
    ("\u03c2.example", "\u03a3.example"), ("a.\u03a3", "\u03c2"), ("\u1e9e.example", "ss.example"),
    ("\u212a.example", "k.example"), ("\ufb01.example", "FI.example"),
]  # fmt: skip


def test_log_that_is_its_own_witness_in_other_letters_is_counted_nowhere(tmp_path):
    other = Cosigner("else.example/w", b"\x03" * 32)
    cases = {}
    for log, name in SAME:
        signer, own = NoteSigner(log, b"\x01" * 32), Cosigner(f"{name}/w", b"\x02" * 32)
        for one in (own, other):
            signed = checkpoint(signer=signer)
            signed = signed.with_(one.cosign(signed.note.text, time=TIME))
            policy = f"log {signer.verifier.text()}\nwitness W {one.verifier.text()}\nquorum W\n"
            cases[f"{log} {one.verifier.name}"] = policy, signed
    told = agree(tmp_path, cases)
    assert {name for name, time in told.items() if time} == {
        f"{log} {other.verifier.name}" for log, _ in SAME
    }


def test_policy_that_the_command_does_not_read_is_none_in_a_browser(tmp_path):
    keys = [NoteSigner(LOG.verifier.name, n.to_bytes(32, "big")) for n in range(257)]
    many = [f"log {key.verifier.text()}\n" for key in keys]
    groups = [f"group G{n} 1 {f'G{n - 1}' if n else 'P'}\n" for n in range(257)]
    texts = {
        "as it should be": ALONE, "a comment": f"# \u00e9\n{ALONE}",
        "a control": f"# \x7f\n{ALONE}",
        "a return": ALONE.replace("\n", "\r\n"), "256 keys": "".join(many[1:]) + "quorum none\n",
        "257 keys": "".join(many) + "quorum none\n",
        "256 groups": ALONE.replace("quorum", "".join(groups[:256]) + "quorum"),
        "257 groups": ALONE.replace("quorum", "".join(groups) + "quorum"),
    }  # fmt: skip
    note = checkpoint().note.encode().hex()
    told = browser(tmp_path, [{"policy": p, "note": note, "now": NOW} for p in texts.values()])
    for (name, text), found in zip(texts.items(), told, strict=True):
        try:
            TlogPolicy.parse(text)
        except Error:
            assert isinstance(found, str), name
        else:
            assert found is None, (name, found)
    assert sum(isinstance(found, str) for found in told) == 4

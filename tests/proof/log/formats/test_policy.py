"""Policies: the grammar of the specification, and what a quorum of witnesses is worth."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, TooLarge
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.note import COSIGNATURE, ED25519, Note, NoteSigner, VerifierKey
from teeproof.proof.log.formats.policy import Group, LogKey, TlogPolicy, WitnessKey
from tests.proof.log.formats.samples import LOG, NOW, ORIGIN, WITNESSES, policy_text
from tests.proof.log.formats.test_cosignature import PQ

LOG_TEXT = LOG.verifier.text()
W = [witness.verifier.text() for witness in WITNESSES]
OTHER_LOG = NoteSigner("other.example/log", b"\x41" * 32)
HEAD = f"log {LOG_TEXT}\nwitness A {W[0]}\nwitness B {W[1]}\nwitness C {W[2]}\n"


def parsed(rules: str) -> TlogPolicy:
    return TlogPolicy.parse(HEAD + rules + "\n")


def refused(text: str | bytes) -> Malformed:
    with pytest.raises(Malformed) as caught:
        TlogPolicy.parse(text)
    return caught.value


def test_the_example_of_the_specification_is_read():
    # c2sp.org/tlog-policy, "Example policy", with keys in the place of <vkey>
    text = f"""
log {LOG_TEXT}

witness X1 {W[0]}
witness X2 {W[1]}
witness X3 {W[2]}
group X-witnesses 2 X1 X2 X3

witness Y1 {W[3]}
witness Y2 {W[4]}
witness Y3 {W[5]}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""
    policy = TlogPolicy.parse(text)
    assert policy.logs == {ORIGIN: LogKey(LOG.verifier)}
    assert list(policy.witnesses) == ["X1", "X2", "X3", "Y1", "Y2", "Y3"]
    assert policy.groups == {
        "X-witnesses": Group(2, ("X1", "X2", "X3")),
        "Y-witnesses": Group(1, ("Y1", "Y2", "Y3")),
        "X-and-Y": Group(2, ("X-witnesses", "Y-witnesses")),
    }
    assert policy.quorum == "X-and-Y"


def test_whitespace_comments_and_urls_are_read_as_the_specification_says():
    text = (
        f"# a comment\n\t # another\n\n \t\n  log\t{LOG_TEXT} \t https://log.example/ \n"
        f"witness\tA {W[0]}\thttps://w.example/#here\t\nquorum  A\t\n#"
    )
    policy = TlogPolicy.parse(text + "\n")
    assert policy.logs[ORIGIN].url == "https://log.example/"
    assert policy.witnesses["A"] == WitnessKey(WITNESSES[0].verifier, "https://w.example/#here")
    assert TlogPolicy.parse(text.encode() + b"\n") == policy


def test_a_policy_needs_no_logs_and_no_witnesses():
    policy = TlogPolicy.parse("quorum none\n")
    assert (policy.logs, policy.witnesses, policy.groups, policy.quorum) == ({}, {}, {}, None)


def test_a_quorum_may_be_one_witness_and_stand_before_other_lines():
    assert TlogPolicy.parse(f"witness A {W[0]}\nquorum A\nlog {LOG_TEXT}\n").quorum == "A"


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        pytest.param("", "policy_quorum", id="no quorum"),
        pytest.param("quorum A\nquorum A", "policy_quorum", id="two quorums"),
        pytest.param("quorum none\nquorum A", "policy_quorum", id="none and one"),
        pytest.param("quorum", "policy_malformed", id="no name"),
        pytest.param("quorum A B", "policy_malformed", id="two names"),
        pytest.param("quorum D", "policy_name_unknown", id="unknown"),
        pytest.param("quorum a", "policy_name_unknown", id="another case"),
        pytest.param("quorum G\ngroup G any A", "policy_name_unknown", id="a later group"),
        pytest.param("group G any H\ngroup H any A", "policy_name_unknown", id="a later member"),
        pytest.param("group G any G", "policy_name_unknown", id="itself"),
        pytest.param("group G any none", "policy_name_unknown", id="none as a member"),
        pytest.param("group none any A", "policy_name_repeated", id="a group called none"),
        pytest.param(f"witness none {W[3]}", "policy_name_repeated", id="a witness called none"),
        pytest.param(f"witness A {W[3]}", "policy_name_repeated", id="a witness twice"),
        pytest.param("group A any B", "policy_name_repeated", id="a group like a witness"),
        pytest.param("group G any A\ngroup G any B", "policy_name_repeated", id="a group twice"),
        pytest.param("group G any A A", "policy_name_repeated", id="a member twice"),
        pytest.param(
            "group G any A\ngroup H any A", "policy_name_repeated", id="a member of two groups"
        ),
        pytest.param("group G any", "policy_malformed", id="no members"),
        pytest.param("group G", "policy_malformed", id="no threshold"),
        pytest.param("group G 0 A", "policy_malformed", id="threshold 0"),
        pytest.param("group G 3 A B", "policy_malformed", id="threshold above all"),
        pytest.param("group G 01 A", "policy_malformed", id="a leading zero"),
        pytest.param("group G -1 A", "policy_malformed", id="a minus"),
        pytest.param("group G +1 A", "policy_malformed", id="a plus"),
        pytest.param("group G ALL A", "policy_malformed", id="capitals"),
        pytest.param("group G ١ A", "policy_malformed", id="another digit"),
        pytest.param("log", "policy_malformed", id="a log without a key"),
        pytest.param(f"log {LOG_TEXT} a b", "policy_malformed", id="two URLs"),
        pytest.param(f"witness {W[3]}", "policy_malformed", id="a witness without a name"),
        pytest.param("logs x", "policy_malformed", id="another word"),
        pytest.param("Quorum A", "policy_malformed", id="a capital"),
        pytest.param(f"log {LOG_TEXT}", "policy_key_repeated", id="a log twice"),
        pytest.param(f"witness D {W[0]}", "policy_key_repeated", id="one witness, two names"),
        pytest.param(f"log {W[3]}", "policy_key_type", id="a cosigner's key as a log"),
        pytest.param(f"witness D {OTHER_LOG.verifier.text()}", "policy_key_type", id="a log's key"),
        pytest.param("witness D x+00000000+AQAA", "verifier_key_malformed", id="a short key"),
        pytest.param(f"witness D {W[3][:-4]}", "verifier_key_malformed", id="a key cut short"),
        pytest.param("log a\u00a0b+00000000+AAAA", "key_name_malformed", id="a space in a key"),
    ],
)
def test_a_policy_that_means_two_things_or_none_is_refused(rules, code):
    assert parsed("quorum A").quorum == "A"
    lines = f"{rules}\nquorum A\n" if not rules.startswith("quorum") and rules else f"{rules}\n"
    error = refused(HEAD + lines)
    assert error.code == code
    if code != "policy_quorum":
        assert "line " in error.detail


def test_a_refusal_names_the_line():
    assert "line 5: D is not defined" in refused(HEAD + "quorum D\n").detail


def test_log_one_key_under_two_names_is_refused():
    key = VerifierKey("renamed.example", ED25519, LOG.verifier.public_key)
    assert refused(HEAD + f"log {key.text()}\nquorum A\n").code == "policy_key_repeated"


def test_witness_one_key_under_two_key_names_is_refused():
    key = VerifierKey("renamed.example", COSIGNATURE, WITNESSES[0].verifier.public_key)
    text = HEAD + f"witness D {key.text()}\ngroup G 2 A D\nquorum G\n"
    assert refused(text).code == "policy_key_repeated"


@pytest.mark.parametrize("first", ["log", "witness"])
def test_log_a_witness_with_the_key_of_a_log_is_refused(first):
    own = VerifierKey("w.example", COSIGNATURE, LOG.verifier.public_key).text()
    lines = [f"log {LOG_TEXT}\n", f"witness A {own}\n"]
    text = "".join(lines if first == "log" else reversed(lines))
    error = refused(text + "quorum A\n")
    assert error.code == "policy_key_repeated"
    assert "own witness" in error.detail


@pytest.mark.parametrize(
    "octet", [0, 1, 8, 11, 12, 13, 27, 31, 127], ids=lambda octet: f"octet {octet}"
)
def test_control_characters_are_refused_even_in_comments(octet):
    text = b"# a" + bytes([octet]) + b"b\nquorum none\n"
    assert refused(text).code == "policy_malformed"
    TlogPolicy.parse(text.replace(bytes([octet]), b"\t"))


def test_a_file_that_was_cut_short_is_refused():
    assert "cut short" in refused("quorum none").detail


def test_names_are_opaque_octets():
    kelvin = "\u212a"  # as text it may be folded to K; as octets it is another name
    policy = TlogPolicy.parse(f"witness K {W[0]}\nwitness {kelvin} {W[1]}\nquorum {kelvin}\n")
    assert policy.witnesses[policy.quorum].key == WITNESSES[1].verifier
    composed, split = "\u00e9", "e\u0301"
    TlogPolicy.parse(f"witness {composed} {W[0]}\nwitness {split} {W[1]}\nquorum none\n")


def test_octets_that_are_no_utf8_are_names_comments_and_urls():
    lines = b"witness \xff\xfe %b http://\xff\n# \x80\nquorum \xff\xfe\n" % W[0].encode()
    policy = TlogPolicy.parse(lines)
    assert TlogPolicy.parse(policy.encode()).digest == policy.digest
    assert b"quorum \xff\xfe\n" in policy.encode()
    assert refused(lines.replace(b"quorum \xff\xfe", b"quorum \xff")).code == "policy_name_unknown"
    assert refused(lines.replace(b"quorum \xff\xfe", b"quorum \xff")).detail.isascii()


def test_words_of_the_grammar_other_than_none_are_names():
    text = f"witness all {W[0]}\nwitness any {W[1]}\ngroup group 2 all any\nquorum group\n"
    assert TlogPolicy.parse(text).groups == {"group": Group(2, ("all", "any"))}


def test_what_follows_a_url_is_no_comment():
    refused(f"witness A {W[0]} https://w.example/ # mine\nquorum A\n")


def test_unicode_spaces_are_part_of_a_name():
    policy = TlogPolicy.parse(
        f"witness a\u00a0b\u2028c\u0085d {W[0]}\nquorum a\u00a0b\u2028c\u0085d\n"
    )
    assert list(policy.witnesses) == ["a\u00a0b\u2028c\u0085d"]


def test_there_is_room_for_far_more_than_32_of_each():
    keys = [Cosigner(f"w{n}.example", n.to_bytes(32, "big")) for n in range(1, 101)]
    logs = [NoteSigner(f"l{n}.example", (1000 + n).to_bytes(32, "big")) for n in range(100)]
    lines = [f"log {log.verifier.text()}" for log in logs]
    lines += [f"witness w{n} {key.verifier.text()}" for n, key in enumerate(keys)]
    lines += ["group g0 any w0", *(f"group g{n} all g{n - 1} w{n}" for n in range(1, 100))]
    policy = TlogPolicy.parse("\n".join([*lines, "quorum g99"]) + "\n")
    assert (len(policy.logs), len(policy.witnesses), len(policy.groups)) == (100, 100, 100)
    assert len(policy.electorate) == 200
    assert TlogPolicy.parse(policy.encode()).digest == policy.digest


def test_a_policy_beyond_all_bounds_is_refused():
    with pytest.raises(TooLarge):
        TlogPolicy.parse("#" * (1 << 18) + "\nquorum none\n")
    groups = [f"group g{n} any {f'g{n - 1}' if n else 'A'}" for n in range(257)]
    with pytest.raises(TooLarge):
        TlogPolicy.parse(HEAD + "\n".join([*groups, "quorum g9"]) + "\n")
    logs = [NoteSigner("l.example", n.to_bytes(32, "big")).verifier.text() for n in range(257)]
    with pytest.raises(TooLarge):
        TlogPolicy.parse("".join(f"log {key}\n" for key in logs) + "quorum none\n")


def test_a_log_may_have_several_keys_for_one_origin():
    second = NoteSigner(ORIGIN, b"\x44" * 32)
    policy = TlogPolicy.parse(f"log {LOG_TEXT}\nlog {second.verifier.text()} u\nquorum none\n")
    assert policy.logs[ORIGIN].keys == (LOG.verifier, second.verifier)
    assert policy.logs[ORIGIN].url == "u"


def test_a_witness_may_have_a_key_of_ml_dsa():
    policy = TlogPolicy.parse(f"witness P {PQ.text()}\nquorum P\n")
    assert policy.witnesses["P"].key == PQ
    assert refused(f"log {PQ.text()}\nquorum none\n").code == "policy_key_type"


def test_the_digest_is_over_what_judges_and_nothing_else():
    one = f"log {LOG_TEXT}\nwitness A {W[0]}\nwitness B {W[1]}\ngroup G any A B\nquorum G\n"
    same = (
        f"# mine\nwitness B {W[1]} https://b\nwitness A\t{W[0]}\ngroup G 1 B A\n"
        f"quorum G\nlog {LOG_TEXT} https://l\n"
    )
    digest = TlogPolicy.parse(one).digest
    assert TlogPolicy.parse(same).digest == digest
    assert digest == "sha256:" + hashlib.sha256(TlogPolicy.parse(one).encode()).hexdigest()
    for other in (one.replace("any", "all"), one.replace("quorum G", "quorum A")):
        assert TlogPolicy.parse(other).digest != digest


def test_the_canonical_text_is_its_own():
    text = TlogPolicy.parse(policy_text("group G 2 W2 W0 W1\nquorum G")).encode()
    assert TlogPolicy.parse(text).encode() == text
    assert b"group G 2 W0 W1 W2\n" in text


@given(st.data())
def test_any_order_of_lines_that_can_be_read_has_one_digest(data):
    witnesses = data.draw(st.permutations([f"witness W{n} {W[n]}" for n in range(4)]))
    groups = data.draw(st.permutations(["group G any W0 W1", "group H 2 W2 W3"]))
    lines = [*witnesses, *groups, "group Z all G H", "quorum Z"]
    assert TlogPolicy.parse("\n".join(lines) + "\n").digest == (
        TlogPolicy.parse("\n".join([*sorted(witnesses), *groups, *lines[-2:]]) + "\n").digest
    )


def test_a_key_with_ignored_bits_is_refused():
    name, ident, key = LOG_TEXT.split("+", 2)
    raw = base64.b64decode(key)
    assert len(raw) % 3 == 0  # 33 bytes: no bits to ignore, so padding is the only liberty
    for bad in (key + "=", key[:-1], key + "AAAA"):
        refused(f"log {name}+{ident}+{bad}\nquorum none\n")


def test_judging_changes_nothing():
    policy = TlogPolicy.parse(policy_text("quorum W0"))
    with pytest.raises(TypeError):
        policy.logs["x"] = LogKey(LOG.verifier)  # type: ignore[index]
    with pytest.raises(AttributeError):
        policy.quorum = None  # type: ignore[misc]


def test_a_checkpoint_without_any_line_is_judged_too():
    from tests.proof.log.formats.samples import checkpoint

    signed = checkpoint()
    bare = SignedCheckpoint(signed.checkpoint, Note(signed.note.text, ()))
    judged = TlogPolicy.parse(policy_text("quorum none")).judge(bare, now=NOW)
    assert (judged.log, judged.quorum, judged.time) == (False, True, None)

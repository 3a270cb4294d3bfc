"""What comes in beside the quote counts: for the verdict, and for the key that it is kept under."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

import teeproof
from teeproof.core.errors import Usage
from teeproof.evidence import ratls
from teeproof.evidence.record import Evidence
from teeproof.evidence.verify import verify
from tests.evidence.scenes import (
    NOW,
    PLATFORM,
    REPORT_DATA,
    collateral,
    evidence,
    failures,
    judge,
    opt_in,
    state,
)
from tests.evidence.test_ratls import KEY, OTHER_KEY, certificate, octets, ratls_data, spki

replace = msgspec.structs.replace


def _carried(key: ec.EllipticCurvePrivateKey = KEY) -> bytes:
    """Return a certificate (DER) over a key, with a genuine quote that names ``KEY``."""
    made = PLATFORM.machine().evidence(ratls_data(KEY), now=NOW)
    assert made.event_log
    return certificate({1: octets(made.quote), 2: octets(made.event_log)}, key=key).public_bytes(
        Encoding.DER
    )


def _evidence(der: bytes) -> Evidence:
    return replace(ratls.parse(der).evidence, collateral=collateral())


def _folder(tmp_path: Path, der: bytes) -> Path:
    (tmp_path / "peer.crt").write_bytes(der)
    (tmp_path / "collateral.json").write_text(json.dumps(collateral().to_json()))
    return tmp_path


# The certificate that carried the quote --------------------------------------------------------


def test_a_certificate_over_the_key_that_the_quote_names_is_accepted(tmp_path: Path) -> None:
    der = _carried()
    for verdict in (
        verify(_evidence(der), policy=opt_in(), now=NOW, expected_spki=spki()),
        teeproof.verify(_folder(tmp_path, der), policy=opt_in(), now=NOW, expected_spki=spki()),
    ):
        assert failures(verdict) == []
        assert verdict.check("ratls-key").state == "passed"
        assert verdict.check("ratls-channel").state == "passed"


def test_network_cannot_put_a_genuine_quote_into_its_own_certificate(tmp_path: Path) -> None:
    der = _carried(OTHER_KEY)
    for verdict in (
        verify(_evidence(der), policy=opt_in(), now=NOW),
        teeproof.verify(_folder(tmp_path, der), policy=opt_in(), now=NOW),
        teeproof.verify(teeproof.load(tmp_path), policy=opt_in(), now=NOW),
    ):
        assert failures(verdict) == [("ratls-key", "ratls_key_not_in_quote")]
        assert (verdict.exit_code, verdict.level, verdict.facts) == (2, None, {})


def test_network_relays_the_certificate_of_another_machine_to_a_program(tmp_path: Path) -> None:
    verdict = teeproof.verify(
        _folder(tmp_path, _carried()), policy=opt_in(), now=NOW, expected_spki=spki(OTHER_KEY)
    )
    assert failures(verdict) == [("ratls-channel", "ratls_relayed")]
    assert verdict.exit_code == 2


def test_network_hands_over_a_bare_quote_where_a_channel_is_to_be_bound() -> None:
    bare = replace(_evidence(_carried()), certificate=None)
    assert verify(bare, policy=opt_in(), now=NOW).ok
    verdict = verify(bare, policy=opt_in(), now=NOW, expected_spki=spki())
    assert failures(verdict) == [("ratls-channel", "ratls_certificate_missing")]
    assert (verdict.exit_code, verdict.authentic) == (3, False)


def test_evidence_that_no_certificate_carried_has_no_such_checks() -> None:
    assert not [check for check in judge().checks if check.name.startswith("ratls")]


def test_network_lays_a_second_certificate_beside_the_first(tmp_path: Path) -> None:
    folder = _folder(tmp_path, _carried())
    assert teeproof.load(folder).certificate == (folder / "peer.crt").read_bytes()
    (folder / "a.crt").write_bytes(_carried(OTHER_KEY))
    with pytest.raises(Usage) as caught:
        teeproof.load(folder)
    assert caught.value.code == "pieces_differ"


# The key of a verdict ---------------------------------------------------------------------------


def _keys(given: Evidence) -> list[str | None]:
    """Return the keys of the verdict on evidence, and with each single input changed."""
    changed = [
        given,
        replace(given, event_log=None),
        replace(given, event_log=b""),
        replace(given, compose=None),
        replace(given, compose=b"{}"),
        replace(given, mr_config=b"{}"),
        replace(given, certificate=_carried()),
        replace(given, certificate=_carried(OTHER_KEY)),
    ]
    keys = [verify(each, policy=opt_in(), now=NOW).key for each in changed]
    keys.append(verify(given, policy=opt_in(), now=NOW, both_paths=False).key)
    keys += [
        verify(given, policy=opt_in(), now=NOW, expected_spki=spki(key)).key
        for key in (KEY, OTHER_KEY)
    ]
    keys.append(verify(given, policy=opt_in(), now=NOW + timedelta(seconds=1)).key)
    return keys


def test_client_no_verdict_is_kept_under_the_key_of_another_question() -> None:
    keys = _keys(evidence())
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert verify(evidence(), policy=opt_in(), now=NOW).key == keys[0]


def test_network_cannot_poison_a_cache_with_a_broken_twin_of_good_evidence() -> None:
    # The evidence's identity leaves its signature out, for the signature has malleable twins.
    good, bad = state("up-to-date"), state("quote-signature-flipped")
    ours, theirs = judge(good), judge(bad)
    assert ours.ok
    assert not theirs.ok
    assert ours.subject == theirs.subject
    assert ours.key != theirs.key


def test_client_a_verdict_for_which_a_memory_was_asked_is_not_kept() -> None:
    for seen in (frozenset[bytes](), {REPORT_DATA}, [bytes(64)]):
        verdict = verify(evidence(), policy=opt_in(), now=NOW, seen=seen)
        assert (verdict.key, verdict.provenance.replay_memory) == (None, True)
        assert verdict.ok is (REPORT_DATA not in seen)
    verdict = verify(evidence(), policy=opt_in(), now=NOW)
    assert (verdict.key is None, verdict.provenance.replay_memory) == (False, False)

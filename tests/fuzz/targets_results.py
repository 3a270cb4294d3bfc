"""Fuzz targets for verdicts that others signed: tokens, EARs, verification summaries, keys."""

from __future__ import annotations

from contextlib import suppress

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.proof.envelope import Envelope, Signature, pae
from teeproof.proof.results import ar4si, ear, jws, keyfile, vsa
from teeproof.proof.signing import sign_ed25519
from tests.proof.results.verdicts import AS_OF, KEY, SIMULATED, hardware


def fuzz_ear_token(data: bytes) -> None:
    """Only what the key signed is authentic, and any other token names no other reader's status."""
    text = data.decode("latin-1")
    with suppress(Malformed, NotAuthentic):
        found = ear.verify(text, key=KEY.public, now=AS_OF)
        assert text.strip(" \t\r\n").encode("latin-1") in TOKENS
        assert found == ear.parse(text)
    with suppress(Malformed):
        ear.parse(text)


def fuzz_ear_claims(data: bytes) -> None:
    """Whatever claims a verifier signs, no status is better than its worst claim."""
    token = jws.seal(data, expanded=KEY.expanded, kind="eat+jwt")
    with suppress(Malformed, NotAuthentic):
        found = ear.verify(token, key=KEY.public, now=AS_OF)
        for part in found.submods.values():
            worst = ar4si.worst(map(ar4si.tier_of, part.vector.values()))
            assert part.status == "none" or ar4si.TIERS.index(part.status) >= ar4si.TIERS.index(
                worst
            )
            if found.status == "affirming":
                assert part.status == "affirming"


def fuzz_vsa(data: bytes) -> None:
    """Whatever a verifier signs, PASSED and FAILED are told apart."""
    signature = Signature("", sign_ed25519(KEY.expanded, pae(data)))
    with suppress(Malformed, NotAuthentic):
        envelope = Envelope(data, (signature,)).encode()
        found = vsa.verify(envelope, key=KEY.public, now=AS_OF)
        assert found.passed is ("FAILED" not in found.levels)
        assert found.subjects


def fuzz_verdict_key(data: bytes) -> None:
    """A key has one spelling."""
    text = data.decode("latin-1")
    with suppress(Malformed):
        assert keyfile.PUBLIC + keyfile.parse_public(text).hex() == text
    with suppress(Malformed):
        assert len(keyfile.parse_secret(text).public) == 32


TOKENS = {
    ear.issue([hardware()], KEY, nonce="a nonce of mine").encode(),
    ear.issue([SIMULATED, hardware()], KEY).encode(),
}
SEEDS = {
    "fuzz_ear_token": lambda: sorted(TOKENS),
    "fuzz_ear_claims": lambda: [jws.payload_of(token.decode()) for token in sorted(TOKENS)],
    "fuzz_vsa": lambda: [Envelope.parse(vsa.issue(hardware(), KEY)).payload],
    "fuzz_verdict_key": lambda: [KEY.text.encode(), b"teeproof-verdict-secret-" + b"07" * 32],
}

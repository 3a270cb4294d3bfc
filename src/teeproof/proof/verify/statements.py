"""Judge a statement: did its author say this, while the keys were valid, of these inputs.

    form        the payload is written in the one way, and its type is known
    author      the identity that it names is here and holds
    signature   that identity's statement key (of a receipt: receipt key) signed it
    cosigners   everyone whom the statement says must sign has signed
    key-expiry  it was said while the keys of all who signed it were valid
    inputs      each input is an output of the statement that it names
    origins     whether every input was made by somebody who says how

Trusts: identities that hold.  Does not trust: key ids, the order of signatures, the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache

from teeproof.core.clock import format_time
from teeproof.core.digests import named
from teeproof.evidence.verdict import Check, Concern, failed, not_checked, passed
from teeproof.proof import signing
from teeproof.proof.envelope import Envelope
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.keys import SKEW
from teeproof.proof.links import Link
from teeproof.proof.source import Read

__all__ = ["AUTHOR_REFUSED", "author_check", "expiry_check", "inputs_checks", "spoken"]

AUTHOR_REFUSED = "author_refused"
_FORM = passed("form", "written in the one way; every field is understood")
_SIGNED = passed("signature", "the author's key signed it")
_AUTHOR = passed("author", "its author's identity holds")
_INPUTS = passed("inputs", "every input is an output of the statement that made it")
_NO_INPUTS = passed("inputs", "it is made of nothing else")
_NO_KEYS = not_checked("key-expiry", "the author's keys are not known")
_COSIGNED = passed("cosigners", "everyone who must cosign has signed")


def spoken(
    read: Read,
    identities: Mapping[bytes, IdentityRecord],
    author_of_receipt: Callable[[bytes, str], bytes | None],
) -> tuple[bytes | None, tuple[Check, ...]]:
    """Return who said this, and whether they signed it.

    The first is the author's identity, 32 bytes; None if it could not be found. The second are the
    checks ``form`` and ``signature``, and ``cosigners`` where there are any.
    """
    author = read.author
    if read.receipt is not None:
        author = author_of_receipt(read.id, read.receipt.keyset_digest)
    record = None if author is None else identities.get(author)
    if author is None or record is None:
        return author, (_form(read), _no_author(read, author))
    signature = _receipt_signature(read, record) if read.receipt else _signature(read, record)
    if not read.cosigners:
        return author, (_form(read), signature)
    return author, (_form(read), signature, _cosigners(read, identities))


def author_check(author: bytes | None, objections: Mapping[bytes, Concern | None]) -> Check:
    """Return whether the author's identity holds; ``objections`` tells why not, by digest."""
    if author is None or author not in objections:
        return not_checked("author", "nobody can be held to it: see its signature")
    objection = objections[author]
    if objection is None:
        return _AUTHOR
    return failed(
        "author",
        AUTHOR_REFUSED,
        f"its author's identity does not hold: see identity {named(author)}",
        objection,
        expected="an identity that holds",
        got=named(author),
    )


def expiry_check(signers: Sequence[IdentityRecord], time: int | None, now: int) -> Check:
    """Return whether the keys of all who signed, author and cosigners, were valid at that time."""
    if not signers:
        return _NO_KEYS
    keys = signers[0].keys
    begin, limit = keys.not_before, keys.not_after
    for record in signers[1:]:
        begin, limit = max(begin, record.keys.not_before), min(limit, record.keys.not_after)
    if (now if time is None else time) < begin - SKEW:
        return _not_yet(begin, limit, now if time is None else time, timed=time is not None)
    if time is None:
        if now <= limit:
            return _valid(begin, limit)
        return failed(
            "key-expiry",
            "keys_expired",
            "the keys have expired, and nobody vouches that it was said before: whoever has the old"
            " keys could say it today",
            expected=f"a trusted time before {format_time(limit)}",
            got="no trusted time",
        )
    if time > limit:
        return failed(
            "key-expiry",
            "keys_expired",
            "it was seen only after the keys of somebody who signed it had expired",
            expected=f"no later than {format_time(limit)}",
            got=format_time(time),
        )
    return _said_before(begin, limit)


@lru_cache(maxsize=1024)
def _valid(begin: int, limit: int) -> Check:
    return passed("key-expiry", f"the keys are valid {_dates(begin, limit)}")


@lru_cache(maxsize=1024)
def _said_before(begin: int, limit: int) -> Check:
    return passed("key-expiry", f"said by then, with keys valid {_dates(begin, limit)}")


def _dates(begin: int, limit: int) -> str:
    return f"from {format_time(begin)} until {format_time(limit)}"


def _not_yet(begin: int, limit: int, time: int, *, timed: bool) -> Check:
    return failed(
        "key-expiry",
        "keys_not_yet",
        "it was seen before the keys that signed it were made, by their machine's clock: that clock"
        " was set ahead"
        if timed
        else "at the time that you ask about the keys that signed it were not made yet",
        expected=f"a time {_dates(begin, limit)}",
        got=format_time(time),
    )


def inputs_checks(
    links: Sequence[Link],
    own: Collection[str],
    outputs: Mapping[bytes, Collection[str]],
    made: Callable[[str], Sequence[bytes]],
    unjoined: Sequence[str] = (),
) -> tuple[Check, ...]:
    """Return whether the edges to what it was made of hold.

    Args:
        links: what the statement says that it was made of.
        own: ``sha256:…`` of what it made itself.
        outputs: of each statement in the proof, its id and ``sha256:…`` of what it made.
        made: the statements in the proof that made a ``sha256:…``.
        unjoined: inputs without a SHA-256, in words.
    """
    if not links and not unjoined:
        return (_NO_INPUTS,)
    outside = list(unjoined)
    for link in links:
        if link.statement is None:
            # What it made itself is no answer to where it came from.
            if len(made(link.digest)) <= (link.digest in own):
                outside.append(f"{link.role} {link.digest}")
            continue
        theirs = outputs.get(link.statement)
        if theirs is None:
            return (_no_parent(link, link.statement),)
        if link.digest not in theirs and link.digest != named(link.statement):
            return (_no_edge(link, link.statement),)
    if not outside:
        return (_INPUTS,)
    count = f"{len(outside)} of {len(links) + len(unjoined)} inputs"
    shown = ", ".join(outside[:3]) + (", …" if len(outside) > 3 else "")
    origins = not_checked(
        "origins", f"{count} come from outside: nobody here says how they were made", got=shown
    )
    return (_INPUTS, origins)


def _no_parent(link: Link, parent: bytes) -> Check:
    return failed(
        "inputs",
        "parent_missing",
        f"the statement that made its {link.role} is not in the proof: ask for the whole of it",
        "availability",
        expected=named(parent),
        got="nothing",
    )


def _no_edge(link: Link, parent: bytes) -> Check:
    return failed(
        "inputs",
        "edge_mismatch",
        f"its {link.role} is not what the statement that it names made: one of the two was"
        " replaced",
        expected=f"an output of {named(parent)}",
        got=link.digest,
    )


def _form(read: Read) -> Check:
    if read.statement is None or read.statement.known:
        return _FORM
    return not_checked(
        "form", f"this verifier does not know {read.type[:100]}: only author and inputs were read"
    )


def _no_author(read: Read, author: bytes | None) -> Check:
    if author is None and read.keyset is None:
        return failed(
            "signature",
            "author_unnamed",
            "it names no identity that said it, so nobody can be held to it",
            expected="urn:teeproof:identity:sha256:… as builder or verifier",
            got="nothing",
        )
    who = f"keyset {read.keyset}" if author is None else named(author)
    return failed(
        "signature",
        "author_missing",
        "the identity that said it is not in the proof: ask for the whole of it",
        "availability",
        expected=f"the identity with {who}" if author is None else f"identity {who}",
        got="nothing",
    )


def _signature(read: Read, record: IdentityRecord) -> Check:
    envelope = read.envelope
    if envelope is not None and _signed_by(envelope, 0, record):
        return _SIGNED
    return failed(
        "signature",
        "signature_mismatch",
        "the author that it names did not sign it: it was changed, or somebody else signed",
        expected=f"a signature of {record.name}",
    )


def _receipt_signature(read: Read, record: IdentityRecord) -> Check:
    receipt, key = read.receipt, record.key("receipt")
    if receipt is None or key is None or receipt.key_id != key.role:
        return failed(
            "signature",
            "receipt_key_unknown",
            "the receipt names a key that its author's keyset does not list",
            expected="receipt" if key else "a receipt key",
            got=receipt.key_id[:100] if receipt else None,
        )
    if signing.holds_ed25519(key.raw, receipt.signed, receipt.signature):
        return _SIGNED
    return failed(
        "signature",
        "signature_mismatch",
        "the receipt's key did not sign it: it was changed, or somebody else signed",
        expected=f"a signature of {record.name}",
    )


def _signed_by(envelope: Envelope, at: int, record: IdentityRecord) -> bool:
    """Return whether the signature in one place is this identity's.

    Log entries commit to signatures by their place, so each signer's is looked for in one only.
    """
    if at >= len(envelope.signatures):
        return False
    signature = envelope.signatures[at].sig
    return signing.holds_ed25519(record.statement_key, envelope.signed, signature)


def _cosigners(read: Read, identities: Mapping[bytes, IdentityRecord]) -> Check:
    envelope = read.envelope
    if envelope is None:
        return _COSIGNED
    for at, cosigner in enumerate(read.cosigners, 1):
        record = identities.get(cosigner)
        if record is None:
            return failed(
                "cosigners",
                "cosigner_missing",
                "the identity of a cosigner is not in the proof: ask for the whole of it",
                "availability",
                expected=named(cosigner),
                got="nothing",
            )
        if not _signed_by(envelope, at, record):
            return failed(
                "cosigners",
                "cosignature_missing",
                "somebody who must cosign did not, or their signature stands in another place",
                expected=f"a signature of {named(cosigner)}",
            )
    return _COSIGNED

"""Fuzz targets for witnesses and monitors: requests, answers, keys, proofs of forks."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from teeproof.core.errors import Error, Malformed, NotAuthentic
from teeproof.proof.log.formats.cosignature import cosigned_at
from teeproof.proof.monitor.evidence import prove_fork
from teeproof.proof.monitor.fork import ForkProof, verify_fork
from teeproof.proof.witness import keyfile
from teeproof.proof.witness.app import App
from teeproof.proof.witness.client import ask
from teeproof.proof.witness.request import AddCheckpoint
from tests.proof.witness.scenes import COSIGNER, NOW, ORIGIN, SIGNER, Book, call, open_witness

BOOK = Book.of(20)
FORK = BOOK.fork(5)
KEYS = {ORIGIN: SIGNER.verifier}


def fuzz_add_checkpoint(data: bytes) -> None:
    """What is accepted is the one encoding of what it says."""
    with suppress(Malformed, NotAuthentic):
        assert AddCheckpoint.parse(data).encode() == data


@cache
def _app() -> App:
    # The folder's object must live as long as the witness.
    folder: Any = tempfile.TemporaryDirectory()
    witness: Any = open_witness(Path(folder.name))
    witness.folder = folder
    return App(witness)


def fuzz_witness_app(data: bytes) -> None:
    """Whatever is posted gets an answer that the protocol has, and no fault."""
    status, _, body = call(_app(), "POST", "/add-checkpoint", data)
    assert status in (200, 400, 403, 404, 409, 413, 422)
    assert body


def fuzz_witness_answer(data: bytes) -> None:
    """Whatever a witness answers, only a cosignature that holds is returned."""
    status = 409 if data[:1].isdigit() else 200
    headers = {"content-type": "text/x.tlog.size"}
    answer = httpx.MockTransport(lambda _: httpx.Response(status, content=data, headers=headers))
    signed = BOOK.signed()
    with httpx.Client(transport=answer) as client, suppress(Error):
        lines = ask(
            "https://w", signed, BOOK.tree.consistency_proof, key=COSIGNER.verifier, client=client
        )
        assert all(cosigned_at(signed.note.text, x, COSIGNER.verifier) for x in lines)


def fuzz_witness_key(data: bytes) -> None:
    """What is accepted is the one spelling of a key."""
    with suppress(Malformed):
        cosigner = keyfile._parse(data)
        assert cosigner.verifier.key_id.hex().encode() in data


def fuzz_fork_proof(data: bytes) -> None:
    """What is accepted reads back; what verifies is about two different trees of one log."""
    with suppress(Malformed):
        proof = ForkProof.parse(data)
        assert proof.encode() == data
        with suppress(NotAuthentic):
            fork = verify_fork(data, keys=KEYS)
            assert {x.encode() for x in fork.checkpoints} <= SIGNED


SIGNED = {book.signed(size).encode() for book in (BOOK, FORK) for size in (7, len(book.entries))}


def _proofs() -> list[bytes]:
    pairs = [(BOOK, 20, FORK, 20), (BOOK, 7, FORK, 20), (BOOK, 7, BOOK, 20)]
    return [
        prove_fork(a.signed(m), b.signed(n), get_a=a.tree.node, get_b=b.tree.node).encode()
        for a, m, b, n in pairs
    ]


def _requests() -> list[bytes]:
    return [BOOK.request(0, 7).encode(), BOOK.request(7).encode(), FORK.request(7).encode()]


SEEDS = {
    "fuzz_add_checkpoint": _requests,
    "fuzz_witness_app": _requests,
    "fuzz_witness_answer": lambda: [
        COSIGNER.cosign(BOOK.signed().note.text, time=NOW).encode(),
        b"7\n",
        b"21\n",
    ],
    "fuzz_witness_key": lambda: [keyfile._encode(COSIGNER, bytes(range(2, 34)))],
    "fuzz_fork_proof": _proofs,
}

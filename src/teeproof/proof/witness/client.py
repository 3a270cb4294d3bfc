"""Ask witnesses to cosign a checkpoint: one, or all of a policy at once.

Nothing that a witness answers is returned before its cosignature holds, by the key that the caller
named for it, over the checkpoint that was sent.

Trusts: the witness keys that the caller names.  Does not trust: witnesses' answers, the network.
"""

from __future__ import annotations

import time as _time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec

from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed, NotAllowed, NotAuthentic, TooLarge, Unavailable
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.cosignature import cosigned_at
from teeproof.proof.log.formats.note import SignatureLine, VerifierKey
from teeproof.proof.log.formats.text import decimal
from teeproof.proof.witness.request import AddCheckpoint
from teeproof.web.asking import connection

if TYPE_CHECKING:
    import httpx

__all__ = ["MAX_ANSWER_BYTES", "Asked", "Gathered", "Prove", "ask", "gather"]

Prove = Callable[[int], Sequence[bytes]]
"""Returns the consistency proof from an old size to the checkpoint that is to be cosigned."""

MAX_ANSWER_BYTES = 64 << 10
_ROUNDS = 3  # the size we believed, the size it told us, and once more if another client was faster
_SIZE_TYPE = "text/x.tlog.size"  # c2sp.org/tlog-witness
_TOGETHER = 16


class Asked(msgspec.Struct, frozen=True):
    """A witness to ask: where, by which key, and the size that it cosigned last if known."""

    url: str
    key: VerifierKey
    old: int = 0


class Gathered(msgspec.Struct, frozen=True):
    """What several witnesses answered.

    Attributes:
        lines: cosignatures that hold, in the order of the witnesses' names.
        failed: why not, by the witness's name.
    """

    lines: tuple[SignatureLine, ...]
    failed: Mapping[str, Error]


def ask(
    url: str,
    signed: SignedCheckpoint,
    prove: Prove,
    *,
    key: VerifierKey,
    old: int = 0,
    timeout: float = 10.0,
    client: httpx.Client | None = None,
) -> tuple[SignatureLine, ...]:
    """Return a witness's cosignatures over a checkpoint.

    Args:
        url: the witness's submission prefix.
        signed: the checkpoint, signed by its log.
        prove: asked for a consistency proof from a size that the witness names.
        key: the witness's key.
        old: the size that the witness is believed to have cosigned last.
        timeout: seconds for each of at most three requests, from first byte to last.
        client: for connections that stay open; one is made for this call if there is none.

    Raises:
        Unavailable: not reached, or not in time: ``witness_unavailable``; it has cosigned a larger
            tree: ``witness_ahead``; it named a new size every time: ``witness_conflict_loop``.
        NotAllowed: it refused: ``witness_refused``, with what it said.
        NotAuthentic: ``cosignature_unknown_key`` where no line is by the key,
            ``cosignature_other_checkpoint`` where a line by it does not hold for this checkpoint.
        Malformed: its answer has another form, or is too large.
    """
    if client is None:
        with connection(url, timeout=timeout) as made:
            return ask(url, signed, prove, key=key, old=old, timeout=timeout, client=made)
    target = url.rstrip("/") + "/add-checkpoint"
    for _ in range(_ROUNDS):
        proof = tuple(prove(old)) if old else ()
        body = AddCheckpoint(old, proof, signed).encode()
        answer = _post(client, target, body, timeout)
        if answer.status != 409:
            return _cosignatures(answer, signed, key, target)
        old = _told(answer, named=old, signed=signed, url=target)
    raise Unavailable(
        "the witness named another size each time it was asked: try again later",
        code="witness_conflict_loop",
        got=target,
    )


def gather(
    witnesses: Iterable[Asked],
    signed: SignedCheckpoint,
    prove: Prove,
    *,
    timeout: float = 10.0,
    client: httpx.Client | None = None,
) -> Gathered:
    """Ask several witnesses at once; one that fails takes nothing from the others.

    ``prove`` is called from several threads. Nothing is raised for what a witness does.
    """
    lines: list[SignatureLine] = []
    failed: dict[str, Error] = {}

    def one(asked: Asked) -> tuple[SignatureLine, ...] | Error:
        try:
            return ask(
                asked.url,
                signed,
                prove,
                key=asked.key,
                old=min(asked.old, signed.checkpoint.size),
                timeout=timeout,
                client=client,
            )
        except Error as error:
            return error

    ordered = sorted(witnesses, key=lambda asked: asked.key.name)
    with ThreadPoolExecutor(max_workers=_TOGETHER) as pool:
        for asked, found in zip(ordered, pool.map(one, ordered), strict=True):
            if isinstance(found, Error):
                failed[asked.key.name] = found
            else:
                lines += found
    return Gathered(tuple(lines), failed)


class _Answer(msgspec.Struct, frozen=True):
    status: int
    kind: str
    body: bytes


def _post(client: httpx.Client, url: str, body: bytes, timeout: float) -> _Answer:
    import httpx  # noqa: PLC0415  as above

    # httpx bounds each read, we bound their sum: a witness may not answer byte by byte for ever.
    end = _time.monotonic() + timeout
    data = bytearray()
    try:
        # Plain, for what a compressed answer grows to is not bounded by what arrives.
        plain = {"accept-encoding": "identity"}
        with client.stream("POST", url, content=body, headers=plain, timeout=timeout) as response:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise Malformed("the witness's answer is compressed", code="witness_answer")
            for part in response.iter_bytes(4096):
                data += part
                if len(data) > MAX_ANSWER_BYTES:
                    raise TooLarge(
                        "the witness's answer is too long",
                        code="witness_answer_too_large",
                        expected=f"at most {MAX_ANSWER_BYTES} bytes",
                    )
                if _time.monotonic() > end:
                    raise _unreached(url, f"it took more than {timeout:g} s")
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            return _Answer(response.status_code, kind, bytes(data))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _unreached(url, f"{type(error).__name__}: {error}") from None


def _told(answer: _Answer, *, named: int, signed: SignedCheckpoint, url: str) -> int:
    """Return the size in a 409."""
    if answer.kind != _SIZE_TYPE or not answer.body.endswith(b"\n"):
        raise Malformed(
            "the witness says conflict and no size",
            code="witness_answer",
            expected=_SIZE_TYPE,
            got=f"{answer.kind} {answer.body[:60]!a}",
        )
    size = decimal(answer.body[:-1], what="size that the witness names")
    if size > signed.checkpoint.size:
        raise Unavailable(
            "the witness has cosigned a larger tree of this log: ask it about a newer checkpoint;"
            " if there is none, the log lost entries",
            code="witness_ahead",
            expected=f"at most {signed.checkpoint.size}",
            got=str(size),
        )
    if size == named:
        raise Unavailable(
            "the witness says conflict and names the size that it was given: report it to its"
            " operator",
            code="witness_conflict_loop",
            got=f"{size} from {url}",
        )
    return size


def _cosignatures(
    answer: _Answer, signed: SignedCheckpoint, key: VerifierKey, url: str
) -> tuple[SignatureLine, ...]:
    if answer.status >= 500:
        raise _unreached(url, _said(answer))
    if answer.status != 200:
        raise NotAllowed(
            f"the witness refused the checkpoint: {_said(answer)}",
            code="witness_refused",
            expected="200 with a cosignature",
            got=f"{answer.status} from {url}",
        )
    ours = [line for line in SignatureLine.parse_lines(answer.body) if key.owns(line)]
    if not ours:
        raise NotAuthentic(
            "no line of the witness's answer is by its key: check the key that you have for it",
            code="cosignature_unknown_key",
            expected=key.text(),
        )
    for line in ours:
        if cosigned_at(signed.note.text, line, key) is None:
            raise NotAuthentic(
                "the witness's cosignature does not hold for this checkpoint: it is over another"
                " one, or was altered on the way",
                code="cosignature_other_checkpoint",
                expected=f"size {signed.checkpoint.size}, root {signed.checkpoint.root.hex()}",
            )
    return tuple(dict.fromkeys(ours))


def _said(answer: _Answer) -> str:
    """Return what an error body says, in one short line."""
    try:
        value = strictjson.loads(answer.body, limit=MAX_ANSWER_BYTES)
        said = f"{value['error']}: {value['detail']}"
    except (Malformed, KeyError, TypeError, IndexError):
        said = answer.body[:200].decode("utf-8", "replace")
    return f"{answer.status} {ascii(said[:300])[1:-1]}"


def _unreached(url: str, why: str) -> Unavailable:
    return Unavailable(
        f"the witness could not be reached: {ascii(why[:300])[1:-1]}",
        code="witness_unavailable",
        got=url,
    )

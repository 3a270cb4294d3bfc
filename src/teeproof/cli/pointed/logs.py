"""Answer about what a log alone says: that it holds an entry, or that it has forked."""

from __future__ import annotations

from collections.abc import Callable

from teeproof.cli.asked import Asked, trust_of
from teeproof.cli.screen import Screen
from teeproof.core.errors import Malformed, Usage
from teeproof.core.reading import read_bounded

__all__ = ["answer_about_entry", "answer_about_fork"]


def answer_about_entry(screen: Screen, asked: Asked) -> int:
    """Verify a tlog-proof with the record that it is of."""
    from teeproof.core.clock import format_time  # noqa: PLC0415
    from teeproof.proof.log.admission import MAX_BYTES, read_record  # noqa: PLC0415
    from teeproof.proof.log.formats.entry import SALT_BYTES  # noqa: PLC0415
    from teeproof.proof.log.formats.tlogproof import MAX_PROOF_BYTES, TlogProof, verify  # noqa: PLC0415

    _refuse_what_says_nothing(asked)
    path, *records = asked.files
    if not 1 <= len(records) <= 2 or asked.logs is None:
        raise Usage(
            "a log proof speaks of one record, and only keys that you name make it a proof; behind"
            " a receipt, name the identity record of its author",
            code="record_missing",
            expected="teeproof verify ENTRY.tlog-proof RECORD.json --logs FILE",
        )
    proof = TlogProof.parse(read_bounded(path, limit=MAX_PROOF_BYTES, what="log proof"))
    data, *authors = (read_bounded(one, limit=MAX_BYTES, what="record") for one in records)
    record = read_record(data, identity_of_keyset=_owner(authors))
    policy = trust_of(asked).logs
    if policy is None or proof.extra is None:
        raise Malformed(
            "the log proof lacks the entry's salt", code="salt_missing", expected="an extra line"
        )
    entry = record.entry(proof.extra[:SALT_BYTES]).encode()
    judgement = verify(proof, entry, policy=policy, now=int(asked.now.timestamp()))
    time = None if judgement.time is None else format_time(judgement.time)
    origin = proof.checkpoint.checkpoint.origin
    if asked.as_json:
        screen.json(
            {
                "ok": True,
                "exit_code": 0,
                "origin": origin,
                "index": proof.index,
                "id": record.name,
                "time": time,
                "cosigned_by": [c.name for c in judgement.cosignatures if c.counted],
            }
        )
        return 0
    screen.sides("log entry", path.name, "bold")
    screen.write()
    screen.row("record", record.name)
    screen.row("log", f"{origin}, entry {proof.index}")
    screen.row("said", f"no later than {time}" if time else "nobody vouches for when", "bold")
    screen.write()
    screen.text("LOGGED", "bold")
    screen.text(
        "This says that the record is in the log, and nothing of who said it: a proof file does.",
        "dim",
    )
    return 0


def _owner(records: list[bytes]) -> Callable[[str], bytes | None]:
    """Return from a keyset to the identity in the records whose it is."""
    from teeproof.proof.identity import IdentityRecord  # noqa: PLC0415

    known = {one.keyset_digest: one.digest for one in map(IdentityRecord.parse, records)}
    return known.get


def _refuse_what_says_nothing(asked: Asked) -> None:
    for given, option in ((asked.author_policy, "--author-policy"), (asked.blocks, "--block")):
        if given:
            raise Usage(
                f"{option} says nothing here: only a proof file holds what it is about",
                code="option_unused",
            )


def answer_about_fork(screen: Screen, asked: Asked) -> int:
    """Verify a fork.proof; what it proves is bad news, so the exit code is 2."""
    from teeproof.proof.monitor.fork import MAX_FORK_BYTES, verify_fork  # noqa: PLC0415

    _refuse_what_says_nothing(asked)
    path, *more = asked.files
    if more:
        raise Usage(
            "a proof of a fork is verified alone", code="files_do_not_belong", got=str(more[0])
        )
    logs = trust_of(asked).logs
    if logs is None:
        raise Usage(
            "a fork is proven against a log's key: name it",
            code="logs_missing",
            expected="teeproof verify FORK.proof --logs FILE",
        )
    data = read_bounded(path, limit=MAX_FORK_BYTES, what="fork.proof")
    fork = verify_fork(data, keys={name: log.keys for name, log in logs.logs.items()})
    if asked.as_json:
        screen.json(
            {
                "ok": False,
                "exit_code": 2,
                "error": "log_forked",
                "detail": fork.sentence(),
                "origin": fork.origin,
                "sizes": list(fork.sizes),
                "roots": [root.hex() for root in fork.roots],
                "index": fork.index,
            }
        )
        return 2
    screen.sides("fork", path.name, "bold")
    screen.write()
    screen.row("log", fork.origin)
    for size, root in zip(fork.sizes, fork.roots, strict=True):
        screen.row(f"size {size}", root.hex())
    screen.write()
    screen.text(f"THE LOG HAS FORKED: {fork.sentence()}", "red", "bold")
    screen.text("Both checkpoints bear its signature. Nothing that only it vouches for holds.")
    return 2

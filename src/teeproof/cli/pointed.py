"""What ``teeproof verify`` can be pointed at beside evidence, told by the first bytes.

FILE.proof                     a proof file
FILE.tlog-proof RECORD         a log entry, with the statement, receipt or identity that it is of
FORK.proof                     what shows that a log has forked
LOG-DIRECTORY ID…              statements in a log on this machine, with all they rest on
DIRECTORY                      each proof file in it
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from teeproof.cli.screen import Screen
from teeproof.core.errors import Malformed, Usage
from teeproof.core.reading import read_bounded
from teeproof.evidence.policy import Policy

__all__ = ["Asked", "answer_about", "is_pointed_elsewhere"]

_ZIP = b"PK\x03\x04"
_TLOG_PROOF = b"c2sp.org/tlog-proof@v1\n"
_FORK = b'"type":"urn:teeproof:fork:v1"'
_HEAD = 4 << 20
_MANY = 500  # statements from which on a progress bar is worth showing


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked ``verify`` for.

    Attributes:
        files: what it was pointed at; behind a log's directory, ids.
        policy: expectations about every machine; None for the defaults.
        author_policy: further ones about whoever wrote what was asked about.
        logs: a tlog-policy file.
        blocks: ``CHAIN:HASH:CONTRACT`` each.
        now: the verifier's time.
        every: show everything.
        as_json: print JSON.
    """

    files: tuple[Path, ...]
    policy: Policy | None
    author_policy: Policy | None
    logs: Path | None
    blocks: tuple[str, ...]
    now: datetime
    every: bool
    as_json: bool


def is_pointed_elsewhere(files: Sequence[Path]) -> bool:
    """Return whether these are something other than evidence."""
    first = files[0]
    if first.is_dir():
        return (first / "log.json").is_file() or _proofs_in(first) != ()
    return _kind(first) is not None


def answer_about(screen: Screen, asked: Asked) -> int:
    """Verify what was asked about, write the answer, return the exit code."""
    first = asked.files[0]
    if first.is_dir():
        if (first / "log.json").is_file():
            return _log_directory(screen, asked)
        return _several(screen, asked, _proofs_in(first))
    kind = _kind(first)
    if kind == "tlog-proof":
        return _log_entry(screen, asked)
    if kind == "fork":
        return _fork(screen, asked)
    return _several(screen, asked, asked.files)


def _kind(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            head = file.read(64)
            if head.startswith(_ZIP):
                return "proof"
            if head.startswith(_TLOG_PROOF):
                return "tlog-proof"
            if head.startswith(b'{"checkpoints":'):
                return "fork" if _FORK in head + file.read(_HEAD) else None
    except OSError:
        pass  # whoever reads evidence says what is wrong with the file
    return None


def _proofs_in(directory: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in directory.glob("*.proof") if _kind(path) == "proof"))


def _several(screen: Screen, asked: Asked, paths: Sequence[Path]) -> int:
    from teeproof.proof.file import ProofFile  # noqa: PLC0415  only for proofs

    known: dict[Any, Any] = {}
    codes, found = [], []
    for index, path in enumerate(paths):
        if _kind(path) != "proof":
            raise Usage(
                "proof files and other files do not go together: verify them one after the other",
                code="files_do_not_belong",
                expected="a proof file",
                got=str(path),
            )
        if index and not asked.as_json:
            screen.write("\n" + screen.paint("─" * 40, "dim") + "\n")
        with ProofFile.open(path) as proof:
            code, value = _judge(screen, asked, proof, path.name, known)
        codes.append(code)
        found.append(value)
    worst = next((code for code in (2, 3, 4) if code in codes), 0)
    if asked.as_json:
        many = {"ok": not worst, "exit_code": worst, "verdicts": found}
        screen.json(found[0] if len(found) == 1 else many)
    return worst


def _judge(
    screen: Screen, asked: Asked, proof: Any, name: str, known: dict[Any, Any]
) -> tuple[int, dict[str, Any]]:
    from teeproof.cli.proofs import write_proof_verdict  # noqa: PLC0415
    from teeproof.proof.verify import verify_proof  # noqa: PLC0415

    trust = _trust(asked)
    with _bar(len(proof.statement_ids)) as progress:
        verdict = verify_proof(proof, now=asked.now, trust=trust, known=known, progress=progress)
    if not asked.as_json:
        screen.sides("proof", name, "bold")
        screen.write()
        write_proof_verdict(screen, verdict, every=asked.every)
    return verdict.exit_code, verdict.to_json() | {"input": {"name": name}}


def _log_directory(screen: Screen, asked: Asked) -> int:
    from teeproof.proof.file import ProofFile, export  # noqa: PLC0415
    from teeproof.proof.log.contents import Contents  # noqa: PLC0415
    from teeproof.proof.log.log import Log  # noqa: PLC0415

    directory, *ids = asked.files
    if not ids:
        raise Usage(
            "say which statements of the log to verify; the log itself is checked with teeproof"
            " log check",
            code="id_missing",
            expected="teeproof verify LOG-DIRECTORY ID",
        )
    trust = _trust(asked)
    accept = None
    if trust.logs is not None:
        policy, now = trust.logs, int(asked.now.timestamp())

        def accept(signed: Any) -> bool:
            return policy.judge(signed, now=now).time is not None

    with Log.open(directory, read_only=True) as log, tempfile.TemporaryFile() as scratch:
        contents = Contents(log, accept=accept)
        export(contents, [_id(str(one)) for one in ids], scratch, allow_missing=True)
        contents.close()
        scratch.seek(0)
        data = scratch.read()
    with ProofFile.from_bytes(data) as proof:
        code, value = _judge(screen, asked, proof, f"{len(ids)} of {directory.name}", {})
    if asked.as_json:
        screen.json(value)
    return code


def _log_entry(screen: Screen, asked: Asked) -> int:
    from teeproof.core.clock import format_time  # noqa: PLC0415
    from teeproof.proof.log.admission import MAX_BYTES, read_record  # noqa: PLC0415
    from teeproof.proof.log.tlogproof import MAX_PROOF_BYTES, TlogProof, verify  # noqa: PLC0415

    path, *records = asked.files
    if len(records) != 1 or asked.logs is None:
        raise Usage(
            "a log proof speaks of one record, and only keys that you name make it a proof",
            code="record_missing",
            expected="teeproof verify ENTRY.tlog-proof RECORD.json --logs FILE",
        )
    proof = TlogProof.parse(read_bounded(path, limit=MAX_PROOF_BYTES, what="log proof"))
    data = read_bounded(records[0], limit=MAX_BYTES, what="record")
    record = read_record(data, identity_of_keyset=lambda _: None)
    policy = _trust(asked).logs
    if policy is None or proof.extra is None:
        raise Malformed(
            "the log proof lacks the entry's salt", code="salt_missing", expected="an extra line"
        )
    entry = record.entry(proof.extra).encode()
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


def _fork(screen: Screen, asked: Asked) -> int:
    from teeproof.proof.monitor.fork import MAX_FORK_BYTES, verify_fork  # noqa: PLC0415

    path = asked.files[0]
    logs = _trust(asked).logs
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


def _trust(asked: Asked) -> Any:
    from teeproof.proof.log.policy import MAX_POLICY_BYTES, TlogPolicy  # noqa: PLC0415
    from teeproof.proof.verify import Trust  # noqa: PLC0415

    logs = None
    if asked.logs is not None:
        text = read_bounded(asked.logs, limit=MAX_POLICY_BYTES, what="log policy")
        logs = TlogPolicy.parse(text)
    return Trust(
        policy=asked.policy,
        author_policy=asked.author_policy,
        logs=logs,
        blocks=dict(_block(text) for text in asked.blocks),
    )


def _block(text: str) -> tuple[bytes, Any]:
    from teeproof.proof.anchor import TrustedBlock  # noqa: PLC0415

    chain, _, rest = text.partition(":")
    digest, _, contract = rest.partition(":")
    try:
        block, address = (bytes.fromhex(part.removeprefix("0x")) for part in (digest, contract))
        number = int(chain)
    except ValueError:
        block = address = b""
        number = 0
    if len(block) != 32 or len(address) != 20 or number < 1:
        raise Usage(
            "--block takes a chain, a block hash and the contract that anchors there",
            code="block_malformed",
            expected="--block 1:0x…64 hex digits…:0x…40 hex digits…",
            got=text[:120],
        )
    return block, TrustedBlock(number, public=True, contracts=frozenset({address}))


def _id(text: str) -> bytes:
    digits = text.removeprefix("sha256:")
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        found = b""
    if len(found) != 32:
        raise Usage(
            "this is no statement's id", code="id_malformed",
            expected="64 hex digits, with or without sha256: before them", got=text[:100],
        )  # fmt: skip
    return found


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int, int], None] | None]:
    """Show a progress bar on a terminal, if there is much to do."""
    if total < _MANY or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415  only where there is much to do
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("verifying", total=total)

        def update(done: int, of: int) -> None:
            if done % 64 == 0 or done == of:
                bar.update(task, completed=done)

        yield update

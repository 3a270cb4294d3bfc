"""A checkpoint's anchor, in the browser: all of it is checked but whether the block is there."""

from __future__ import annotations

import pytest

from teeproof.cli.demo_proof import tell
from teeproof.core.clock import wall_clock
from teeproof.core.digests import keccak256, sha256
from teeproof.evidence.policy import parse_policy
from teeproof.proof.anchor import rlp
from teeproof.proof.anchor.header import parse as parse_header
from teeproof.proof.file import ProofFile
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.verify import Trust, verify_proof
from tests.explorer.checking import HARNESS, green, results, rewritten, trusted
from tests.proof.anchor import blocks


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("anchored")
    tell(folder, wall_clock)
    proof = next(folder.glob("*.proof")).read_bytes()
    policy = parse_policy((folder / "policy.toml").read_bytes())
    return proof, policy, (folder / "trusted-logs").read_text()


def checkpoint_of(proof):
    with ProofFile.from_bytes(proof) as file:
        return file.logs[0].checkpoints[-1].checkpoint


def event(checkpoint, **changes):
    what = {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root}
    return blocks.event(**(what | changes))


def anchored(proof, document):
    """The proof with an anchor of its newest checkpoint."""
    size = checkpoint_of(proof).size

    def add(members):
        folder = next(name for name in members if name.endswith("/nodes")).removesuffix("nodes")
        members[f"{folder}anchors/{size:019d}-{sha256(document).hex()}"] = document

    return rewritten(proof, add)


def shown(tmp_path, demo, documents):
    proof, policy, logs = demo
    cases = [anchored(proof, document) for document in documents]
    return results(tmp_path, HARNESS, cases, trusted(policy, logs, wall_clock()))


def detail(found):
    return next(d for n, d in zip(found["names"], found["details"], strict=True) if n == "anchor")


def test_a_block_that_holds_the_event_is_named_and_not_called_checked(tmp_path, demo):
    document = blocks.with_event(event(checkpoint_of(demo[0])))
    (found,) = shown(tmp_path, demo, [document.encode()])
    assert found["failed"] == []
    assert green(found)
    state = dict(zip(found["names"], found["states"], strict=True))
    assert state["anchor"] == "not_checked"
    said = detail(found)
    assert f"block {blocks.NUMBER} of chain {blocks.CHAIN}" in said
    assert keccak256(document.header).hex() in said
    assert "is not checked here" in said


def test_whoever_trusts_the_block_is_told_the_same_by_the_command(demo):
    proof, policy, logs = demo
    document = blocks.with_event(event(checkpoint_of(proof)))
    root, time = parse_header(document.header).receipts_root, int(wall_clock().timestamp())
    document = blocks.but(document, header=blocks.header(root, time=time))
    block = blocks.trusted(document)
    trust = Trust(policy=policy, logs=TlogPolicy.parse(logs), blocks=block)
    with ProofFile.from_bytes(anchored(proof, document.encode())) as file:
        verdict = verify_proof(file, now=wall_clock(), trust=trust)
    assert verdict.ok
    assert any(c.name == "anchor" and c.state == "passed" for c in verdict.logs[0].checks)


def but(document, **changes) -> bytes:
    return blocks.but(document, **changes).encode()


def forged(checkpoint) -> dict[str, bytes]:
    good = blocks.with_event(event(checkpoint))
    header = bytearray(good.header)
    header[170] ^= 1  # in the root of the receipts
    nodes = good.nodes
    return {
        "another log": blocks.with_event(event(checkpoint, origin="other.example/log")).encode(),
        "another size": blocks.with_event(event(checkpoint, size=checkpoint.size + 1)).encode(),
        "another root": blocks.with_event(event(checkpoint, root=bytes(32))).encode(),
        "another event": blocks.with_event(event(checkpoint, topics=[bytes(32)] * 2)).encode(),
        "another header": but(good, header=bytes(header)),
        "another transaction": but(good, transaction=128),
        "no such event": but(good, log=9),
        "a node less": but(good, nodes=nodes[:-1]),
        "a node more": but(good, nodes=(*nodes, nodes[-1])),
        "a node's last byte": but(
            good, nodes=(*nodes[:-1], nodes[-1][:-1] + bytes([nodes[-1][-1] ^ 1]))
        ),
        "a transaction that failed": blocks.with_event(event(checkpoint), status=b"").encode(),
        "bytes behind": good.encode() + b"\0",
        "nothing": b"\x80",
        "another version": rlp.encode([b"teeproof.anchor.v2", b"\1", b"", b"", [b""], b""]),
    }


@pytest.fixture(scope="module")
def refused(tmp_path_factory, demo):
    documents = forged(checkpoint_of(demo[0]))
    found = shown(tmp_path_factory.mktemp("forged"), demo, documents.values())
    return dict(zip(documents, found, strict=True))


@pytest.mark.parametrize("name", forged(blocks.CHECKPOINT))
def test_log_shows_an_anchor_that_does_not_hold_in_itself(refused, name):
    assert refused[name]["failed"] == ["anchor"], refused[name]

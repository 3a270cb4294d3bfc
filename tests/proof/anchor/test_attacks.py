"""Attacks on anchors: by who proves, by who runs a chain, and by who runs a log.

The header commits to whatever trie an attack needs, and its hash is trusted: what is refused here
is refused although the attacker has found, or made, a block that fits.
"""

from __future__ import annotations

import pytest

from teeproof.core.digests import keccak256, sha256
from teeproof.core.errors import Error, Malformed, NotAuthentic, TooLarge
from teeproof.proof.anchor import AnchorProof, rlp, trie
from teeproof.proof.anchor.document import MAX_TRANSACTION
from teeproof.proof.anchor.rlp import Item
from teeproof.proof.log.formats.checkpoint import Checkpoint
from tests.proof.anchor.blocks import (
    CHAIN,
    CHECKPOINT,
    FILLER,
    ORIGIN,
    TIME,
    TOPIC,
    TRANSFER,
    but,
    event,
    fields,
    header,
    items,
    judged,
    key,
    proof_of,
    receipt,
    trusted,
    with_event,
)

HONEST = with_event()
LOG = keccak256(ORIGIN.encode())
FORM = ("trie_malformed", Malformed)
EVENT_DATA = CHECKPOINT.size.to_bytes(32, "big") + CHECKPOINT.root


def refused(proof: AnchorProof, code: str, kind: type[Error] = NotAuthentic, **asked) -> Error:
    with pytest.raises(kind) as caught:
        judged(proof, **asked)
    assert caught.value.code == code
    assert type(caught.value) is kind
    return caught.value


def by_hand(*nodes: Item, place: int = 0) -> AnchorProof:
    """A block whose receipts root is the first of these nodes."""
    raw = [rlp.encode(node) for node in nodes]
    return AnchorProof(
        chain_id=CHAIN, header=header(keccak256(raw[0])), transaction=place, nodes=tuple(raw), log=0
    )


def test_the_honest_proof_is_taken():
    assert judged(HONEST).proven_time == TIME


# The chain


def test_an_operator_offers_a_block_of_its_embedded_chain_as_time():
    found = judged(HONEST, blocks=trusted(HONEST, public=False))
    assert found.proven_time is None
    assert not found.public
    assert "proves no time" in found.why


def test_a_chain_of_another_id_is_no_substitute():
    answer = refused(HONEST, "block_other_chain", blocks=trusted(HONEST, chain_id=1))
    assert (answer.expected, answer.got) == ("1", str(CHAIN))
    refused(but(HONEST, chain_id=1), "block_other_chain", blocks=trusted(HONEST))


def test_a_chain_operator_backdates_a_header():
    root = rlp.decode(HONEST.header, limit=4096, what="header")[5]
    assert header(root) == HONEST.header
    older = but(HONEST, header=header(root, time=TIME - 86_400))
    refused(older, "block_untrusted", blocks=trusted(HONEST))


def test_a_prover_swaps_the_receipts_root_of_a_header():
    mine = proof_of([receipt(event())], 0)
    theirs = fields(trie.root_of(items(FILLER)))
    swapped = rlp.encode(
        [*theirs[:5], rlp.decode(mine.header, limit=4096, what="")[5], *theirs[6:]]
    )
    honest = {keccak256(rlp.encode(theirs)): next(iter(trusted(mine).values()))}
    refused(but(mine, header=swapped), "block_untrusted", blocks=honest)
    refused(but(mine, header=rlp.encode(theirs)), "trie_node_mismatch", blocks=honest)


def test_a_prover_moves_the_root_of_another_trie_into_place():
    # The transactions root stands one field before: an attacker chooses transactions' bytes.
    root, nodes = trie.prove(items([receipt(event())]), key(0))
    parts = fields(trie.root_of(items(FILLER)))
    parts[4] = root
    proof = but(HONEST, header=rlp.encode(parts), nodes=nodes, transaction=0)
    refused(proof, "trie_node_mismatch")


# The event


def test_a_prover_offers_the_event_of_its_own_contract():
    answer = refused(with_event(event(address=bytes(20))), "event_other_contract")
    assert answer.got == "00" * 20
    refused(HONEST, "event_other_contract", blocks=trusted(HONEST, contracts=frozenset()))


def test_a_prover_offers_the_event_of_another_log():
    refused(with_event(event(origin="log.example/other")), "event_other_origin")
    refused(with_event(event(origin=ORIGIN + "\n")), "event_other_origin")


def test_a_prover_offers_a_checkpoint_of_another_log():
    other = Checkpoint("log.example/other", CHECKPOINT.size, CHECKPOINT.root)
    proof = with_event(event(origin=other.origin))
    refused(proof, "anchor_other_log", checkpoint=other)
    refused(HONEST, "anchor_other_log", origin=other.origin)
    assert judged(proof, origin=other.origin, checkpoint=other).public


def test_an_operator_forks_its_log_and_shows_the_anchor_of_the_other_side():
    forked = Checkpoint(ORIGIN, CHECKPOINT.size, sha256(b"another tree"))
    refused(HONEST, "event_other_root", checkpoint=forked)
    refused(with_event(event(root=forked.root)), "event_other_root")


def test_a_prover_offers_the_anchor_of_a_smaller_tree():
    refused(with_event(event(size=299)), "event_other_size")
    refused(with_event(event(size=0)), "event_other_size")


def test_a_prover_hides_a_larger_number_behind_64_bits():
    beyond = event(size=CHECKPOINT.size + (1 << 64))
    refused(with_event(beyond), "event_malformed")


def test_a_prover_makes_the_transaction_fail():
    answer = refused(with_event(status=b""), "transaction_failed")
    assert answer.expected == "status 1"


def test_a_prover_offers_an_event_of_another_name():
    name = keccak256(b"Anchored(bytes32,uint256,bytes32)")
    refused(with_event(event(topics=[name, LOG])), "event_other")
    refused(with_event(event(topics=[])), "event_other")


@pytest.mark.parametrize(
    "log",
    [
        pytest.param(event(topics=[TOPIC]), id="the origin is left out"),
        pytest.param(
            event(topics=[TOPIC], data=LOG + EVENT_DATA),
            id="the origin stands in the data",
        ),
        pytest.param(
            event(topics=[TOPIC, LOG, CHECKPOINT.root], data=EVENT_DATA[:32]),
            id="the root stands in a topic",
        ),
        pytest.param(event(topics=[TOPIC, LOG, bytes(32)]), id="a topic too many"),
        pytest.param(event(data=EVENT_DATA + b"\0"), id="a byte behind the data"),
        pytest.param(event(data=EVENT_DATA[:-1]), id="a byte too few"),
        pytest.param(event(data=b""), id="no data"),
        pytest.param(
            event(data=CHECKPOINT.size.to_bytes(32, "little") + CHECKPOINT.root), id="little-endian"
        ),
    ],
)
def test_a_prover_encodes_the_event_in_another_way(log):
    refused(with_event(log), "event_malformed")


def test_a_prover_points_to_another_event_of_the_receipt():
    receipts = [receipt(event(size=299), event())]
    assert judged(proof_of(receipts, 0, log=1)).public
    refused(proof_of(receipts, 0, log=0), "event_other_size")
    refused(proof_of(receipts, 0, log=2), "event_absent")
    refused(with_event(log=TRANSFER), "event_other")


def test_a_prover_points_to_an_event_of_a_transaction_without_any():
    refused(proof_of(FILLER, 4), "event_absent")


# The way through the trie


@pytest.mark.parametrize("place", [0, 1, 127, 128, 130, 200])
def test_a_prover_offers_the_receipt_of_another_transaction(place):
    assert HONEST.transaction == 129
    refused(but(HONEST, transaction=place), "trie_node_mismatch")


def test_a_prover_names_a_transaction_that_the_block_does_not_have():
    refused(but(HONEST, transaction=1 << 20), "trie_key_absent")


def test_a_prover_leaves_nodes_out_or_adds_some():
    assert len(HONEST.nodes) >= 3
    refused(but(HONEST, nodes=HONEST.nodes[:-1]), "trie_nodes_missing")
    refused(but(HONEST, nodes=HONEST.nodes[1:]), "trie_node_mismatch")
    refused(but(HONEST, nodes=(*HONEST.nodes, HONEST.nodes[0])), "trie_nodes_superfluous")
    refused(but(HONEST, nodes=(HONEST.nodes[0], *HONEST.nodes)), "trie_node_mismatch")


def test_a_prover_cuts_the_leaf_short():
    *above, leaf = HONEST.nodes
    refused(but(HONEST, nodes=(*above, leaf[:-1])), "trie_node_mismatch")
    refused(but(HONEST, nodes=(*above, b"")), "trie_node_mismatch")


def test_a_prover_shortens_the_path_of_a_leaf():
    assert judged(by_hand([b"\x20\x80", receipt(event())])).public
    refused(by_hand([b"\x38", receipt(event())]), "trie_key_absent")
    refused(by_hand([b"\x20", receipt(event())]), "trie_key_absent")
    refused(by_hand([b"\x20\x80\x00", receipt(event())]), "trie_key_absent")
    refused(by_hand([b"\x20\x81", receipt(event())]), "trie_key_absent")


def test_a_prover_makes_a_leaf_look_like_an_extension():
    hidden = rlp.encode([b"\x20", receipt(event())])
    refused(by_hand([b"\x00\x80", keccak256(hidden)], [b"\x20", receipt(event())]), *FORM)
    refused(by_hand([b"\x00\x80", receipt(event())]), *FORM)


def test_a_prover_uses_the_value_of_a_branch_as_a_leaf():
    # The key 0x80 ends at the branch; a node there would have to be below another index.
    branch: list[Item] = [*[b""] * 16, receipt(event())]
    branch[1] = keccak256(b"another")
    refused(
        by_hand([b"\x00\x80", keccak256(rlp.encode(branch))], branch),
        "trie_branch_value",
        Malformed,
    )


def test_a_prover_hides_the_receipt_in_a_branch_of_one():
    leaf = [b"\x20", receipt(event())]
    branch: list[Item] = [b""] * 17
    branch[0] = keccak256(rlp.encode(leaf))
    refused(by_hand([b"\x18", keccak256(rlp.encode(branch))], branch, leaf), *FORM)


def test_a_prover_inlines_a_node_that_has_a_hash():
    inlined = [*[b""] * 8, [b"\x30", receipt(event())], keccak256(b"other"), *[b""] * 7]
    refused(by_hand(inlined), *FORM)


def test_a_prover_gives_a_list_for_the_receipt():
    refused(
        by_hand([b"\x20\x80", rlp.decode(receipt(event(), kind=0), limit=4096, what="")]), *FORM
    )


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(lambda raw: b"\xf8\0" + raw[2:], id="a long form of a length"),
        pytest.param(lambda raw: b"\xf9\0" + raw[1:], id="a length with a leading zero"),
        pytest.param(lambda raw: raw + b"\0", id="a byte behind the node"),
        pytest.param(lambda raw: raw.replace(b"\x82\x20\x80", b"\xb8\2\x20\x80"), id="a long path"),
    ],
)
def test_a_prover_writes_a_node_in_another_form(raw):
    node = raw(rlp.encode([b"\x20\x80", receipt(event())]))
    proof = AnchorProof(
        chain_id=CHAIN, header=header(keccak256(node)), transaction=0, nodes=(node,), log=0
    )
    refused(proof, "rlp_malformed", Malformed)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(receipt(event()) + b"\0", "rlp_malformed", id="a byte behind"),
        pytest.param(receipt(event(), gas=b"\0\1"), "rlp_malformed", id="gas with a zero before"),
        pytest.param(receipt(event(), status=b"\0"), "receipt_malformed", id="another failure"),
        pytest.param(receipt(event(), status=bytes(32)), "receipt_without_status", id="old"),
        pytest.param(receipt(event(), kind=0x7E), "receipt_type", id="of another kind of chain"),
        pytest.param(b"\x80", "receipt_type", id="nothing"),
    ],
)
def test_a_chain_writes_a_receipt_in_another_form(body, code):
    refused(by_hand([b"\x20\x80", body]), code, Malformed)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        pytest.param(HONEST.header + b"\0", "rlp_malformed", id="a byte behind"),
        pytest.param(HONEST.header[:-1], "rlp_malformed", id="cut short"),
        pytest.param(b"", "rlp_malformed", id="nothing"),
        pytest.param(rlp.encode(fields(bytes(32))[:14]), "header_malformed", id="too few fields"),
        pytest.param(header(bytes(32), time=TIME * 1000), "header_malformed", id="milliseconds"),
    ],
)
def test_a_chain_writes_a_header_in_another_form(raw, code):
    refused(but(HONEST, header=raw), code, Malformed)


def test_a_prover_sends_nodes_beyond_64_kib():
    with pytest.raises(TooLarge):
        by_hand([b"\x20\x80", receipt([bytes(20), [], bytes(1 << 16)])])


def down_to(*bottom: Item) -> AnchorProof:
    """A branch for each of the eight nibbles of the longest key, and what stands below."""
    nodes = [*bottom]
    for nibble in reversed(key(MAX_TRANSACTION).hex()):
        branch: list[Item] = [keccak256(b"other"), *[b""] * 16]
        branch[int(nibble, 16)] = keccak256(rlp.encode(nodes[0]))
        nodes.insert(0, branch)
    return by_hand(*nodes, place=MAX_TRANSACTION)


def test_a_prover_sends_a_trie_deeper_than_its_keys():
    assert judged(down_to([b"\x20", receipt(event())])).public
    refused(down_to([b"\x20\x00", receipt(event())]), "trie_key_absent")
    branch: list[Item] = [keccak256(b"one"), keccak256(b"two"), *[b""] * 15]
    refused(down_to(branch), "trie_key_absent")
    with pytest.raises(Malformed) as caught:
        down_to(branch, [b"\x20", receipt(event())])
    assert caught.value.code == "anchor_malformed"


def test_no_bit_of_a_proof_can_change():
    data = HONEST.encode()
    blocks = trusted(HONEST)
    for at in range(len(data)):
        changed = data[:at] + bytes((data[at] ^ (1 << at % 8),)) + data[at + 1 :]
        with pytest.raises(Error):
            judged(AnchorProof.parse(changed), blocks=blocks)

"""Ethereum's Merkle-Patricia trie: what stands at a key under a root, shown by the nodes between.

A node is a branch (16 references and a value), an extension (a path and a reference) or a leaf (a
path and a value). A reference is the Keccak-256 of the node's RLP, or the node itself where that
is shorter than 32 bytes. Source: Ethereum's Yellow Paper, appendices C and D. Only the form that
an honest builder makes is accepted, so a key has one proof under a root.

Trusts: the root that the caller names.  Does not trust: the nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from teeproof.core.digests import keccak256
from teeproof.core.errors import Malformed, NotAuthentic, TooLarge
from teeproof.proof.anchor import rlp
from teeproof.proof.anchor.rlp import Item

__all__ = ["EMPTY_ROOT", "MAX_NODE_BYTES", "prove", "root_of", "value_at"]

# Keccak-256 of the RLP of nothing.
EMPTY_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
MAX_NODE_BYTES = 1 << 16  # a branch has 532; a leaf holds one receipt
Nibbles = Sequence[int]
Fetch = Callable[[bytes], bytes]


def value_at(
    root: bytes, key: bytes, nodes: Sequence[bytes], *, prefix_free: bool = False
) -> bytes:
    """Return the value at ``key`` under ``root``.

    Args:
        root: 32 bytes.
        key: the key as it stands in the trie (not hashed).
        nodes: RLP of the nodes that are referred to by hash, from the root downward.
        prefix_free: no key of this trie is the beginning of another (indexes in RLP are so), hence
            no branch holds a value.

    Raises:
        TooLarge: a node of more than ``MAX_NODE_BYTES``.
        Malformed: a node that no builder makes (``trie_malformed``, ``rlp_malformed``), or a branch
            that holds a value where none can (``trie_branch_value``).
        NotAuthentic: a node that its parent does not name (``trie_node_mismatch``), too few nodes
            (``trie_nodes_missing``), nodes that nothing refers to (``trie_nodes_superfluous``), or
            a path to another key (``trie_key_absent``).
    """
    remaining = list(reversed(nodes))

    def fetch(digest: bytes) -> bytes:
        if not remaining:
            raise NotAuthentic(
                "the trie proof ends before its key", code="trie_nodes_missing", got=digest.hex()
            )
        node = remaining.pop()
        _require_small(node)
        if (found := keccak256(node)) != digest:
            raise NotAuthentic(
                "a trie node is not the one that stands above it",
                code="trie_node_mismatch",
                expected=digest.hex(),
                got=found.hex(),
            )
        return node

    value = _descend(root, _nibbles(key), fetch, prefix_free)
    if remaining:
        raise NotAuthentic(
            "the trie proof holds nodes that it does not need",
            code="trie_nodes_superfluous",
            got=f"{len(remaining)} more",
        )
    return value


def root_of(items: Mapping[bytes, bytes]) -> bytes:
    """Return the root, 32 bytes, of the trie of these keys and (non-empty) values."""
    return _build(items)[0]


def prove(items: Mapping[bytes, bytes], key: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the root of a trie, and the nodes that show the value at ``key``.

    Raises:
        NotAuthentic: there is no such key.
    """
    root, store = _build(items)
    if not items:
        raise _absent()
    nodes: list[bytes] = []

    def fetch(digest: bytes) -> bytes:
        nodes.append(store[digest])
        return nodes[-1]

    _descend(root, _nibbles(key), fetch, prefix_free=False)
    return root, tuple(nodes)


def _descend(root: bytes, path: Nibbles, fetch: Fetch, prefix_free: bool) -> bytes:
    """Follow the path; each step but the last takes at least one nibble, so it ends."""
    node, at = _node(rlp.decode(fetch(root), limit=MAX_NODE_BYTES, what="trie node")), 0
    while True:
        if len(node) == 17:
            if prefix_free and node[16]:
                raise Malformed("a branch of the trie holds a value", code="trie_branch_value")
            if at == len(path):
                return _value(node[16])
            below, at = node[path[at]], at + 1
        else:
            leaf, part = _unpacked(node[0])
            if list(path[at : at + len(part)]) != part or (leaf and at + len(part) != len(path)):
                raise _absent()
            if leaf:
                return _value(node[1])
            below, at = node[1], at + len(part)
        above, node = node, _below(below, fetch)
        if len(above) == len(node) == 2:
            raise _malformed("a branch below an extension", "an extension or a leaf")


def _below(reference: Item, fetch: Fetch) -> Sequence[Item]:
    if not isinstance(reference, bytes):
        return _node(reference)
    if not reference:
        raise _absent()
    raw = fetch(reference)
    if len(raw) < 32:
        raise _malformed("a node below 32 bytes inside its parent", "its hash")
    return _node(rlp.decode(raw, limit=MAX_NODE_BYTES, what="trie node"))


def _node(item: Item) -> Sequence[Item]:
    """Return a node whose references have the right form."""
    if isinstance(item, bytes) or len(item) not in (2, 17):
        got = "a byte string" if isinstance(item, bytes) else f"{len(item)} parts"
        raise _malformed("a list of 2 or 17 parts", got)
    if len(item) == 2:
        if not _unpacked(item[0])[0]:
            _check_reference(item[1])
            if not item[1]:
                raise _malformed("an extension with something below", "nothing")
        return item
    for reference in item[:16]:
        _check_reference(reference)
    if not isinstance(item[16], bytes):
        raise _malformed("a value that is a byte string", "a list")
    if sum(map(bool, item)) < 2:
        raise _malformed("a branch of two or more", "fewer")
    return item


def _check_reference(reference: Item) -> None:
    if isinstance(reference, bytes):
        if len(reference) not in (0, 32):
            raise _malformed("a reference of 0 or 32 bytes", f"{len(reference)} bytes")
    elif len(rlp.encode(reference)) >= 32:
        raise _malformed("the hash of a node of 32 bytes or more", "the node")


def _value(item: Item) -> bytes:
    if not isinstance(item, bytes):
        raise _malformed("a value that is a byte string", "a list")
    if not item:
        raise _absent()
    return item


def _unpacked(item: Item) -> tuple[bool, list[int]]:
    """Return whether a path ends in a leaf, and its nibbles."""
    if not isinstance(item, bytes) or not item:
        raise _malformed("a path", "a list" if item else "nothing")
    flag, *nibbles = _nibbles(item)
    # Yellow Paper, appendix C: the first nibble is 2 for a leaf, plus 1 for an odd number of
    # nibbles; an even number is filled up by a second nibble 0.
    if flag > 3 or (not flag & 1 and nibbles[0]):
        raise _malformed("a path that begins with 0, 1, 2 or 3", item.hex()[:66])
    part = nibbles if flag & 1 else nibbles[1:]
    if flag < 2 and not part:
        raise _malformed("an extension of one nibble or more", "none")
    return flag >= 2, part


def _packed(nibbles: Nibbles, *, leaf: bool) -> bytes:
    flag = 2 * leaf + len(nibbles) % 2
    head = [flag] if len(nibbles) % 2 else [flag, 0]
    return bytes.fromhex("".join(f"{nibble:x}" for nibble in (*head, *nibbles)))


def _nibbles(data: bytes) -> list[int]:
    return [int(digit, 16) for digit in data.hex()]


def _build(items: Mapping[bytes, bytes]) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the root, and every node that is referred to by hash."""
    store: dict[bytes, bytes] = {}
    pairs = sorted((tuple(_nibbles(key)), value) for key, value in items.items())
    top = rlp.encode(_built(pairs, 0, store) if pairs else b"")
    root = keccak256(top)
    store[root] = top
    return root, store


def _built(
    pairs: Sequence[tuple[tuple[int, ...], bytes]], at: int, store: dict[bytes, bytes]
) -> Item:
    """Return the node of sorted pairs whose paths agree before ``at``."""
    first, last = pairs[0][0], pairs[-1][0]
    if len(pairs) == 1:
        return [_packed(first[at:], leaf=True), pairs[0][1]]
    shared = at
    while shared < len(first) and first[shared] == last[shared]:
        shared += 1
    if shared > at:
        return [_packed(first[at:shared], leaf=False), _kept(_built(pairs, shared, store), store)]
    branch: list[Item] = [b""] * 17
    if len(first) == at:
        branch[16], pairs = pairs[0][1], pairs[1:]
    for nibble in range(16):
        if below := [pair for pair in pairs if pair[0][at] == nibble]:
            branch[nibble] = _kept(_built(below, at + 1, store), store)
    return branch


def _kept(node: Item, store: dict[bytes, bytes]) -> Item:
    raw = rlp.encode(node)
    if len(raw) < 32:
        return node
    digest = keccak256(raw)
    store[digest] = raw
    return digest


def _require_small(node: bytes) -> None:
    if len(node) > MAX_NODE_BYTES:
        raise TooLarge(
            "a trie node is too large",
            expected=f"at most {MAX_NODE_BYTES} bytes",
            got=f"{len(node)} bytes",
        )


def _absent() -> NotAuthentic:
    return NotAuthentic("nothing stands at this key under the trie's root", code="trie_key_absent")


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "a trie node has a form that no builder makes",
        code="trie_malformed",
        expected=expected,
        got=got,
    )

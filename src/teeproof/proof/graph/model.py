"""What a graph is made of: nodes, edges, and the records that they are made from.

    an edge runs from what is below (newer) to what is above (older)

    made-of      a statement's input: to the statement that made it, or to plain data
    made-by      from data that several statements list as their output, to each of them
    said-by      from a statement to the identity that says it
    cosigned-by  from a statement to an identity that must sign too
    follows      from an identity to the one that it took over from

Trusts: nothing; everything here is a claim.  Does not trust: whoever wrote the statements.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from teeproof.core.digests import named

__all__ = [
    "MAX_NAME",
    "Contribution",
    "Edge",
    "How",
    "Identified",
    "Input",
    "Kind",
    "Labels",
    "Node",
    "Output",
    "Relation",
    "Said",
    "State",
    "Touched",
]

MAX_NAME = 200  # characters of a name or a word that a graph keeps; they are for the eye

Kind = Literal["statement", "identity", "data"]
State = Literal["here", "missing", "unreadable"]
Relation = Literal["made-of", "made-by", "said-by", "cosigned-by", "follows"]
How = Literal["named", "digest", "several", "missing", "denied", "one-sided"]


class Output(msgspec.Struct, frozen=True, gc=False):
    """One output: 32 bytes of SHA-256, and what its author calls it."""

    digest: bytes
    name: str | None = None


class Input(msgspec.Struct, frozen=True, gc=False):
    """One input: its role, its digest, the statement that is named as its maker, its name."""

    role: str
    digest: bytes
    statement: bytes | None = None
    name: str | None = None


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A statement or receipt, as far as a graph needs it.

    Attributes:
        id: 32 bytes.
        type: predicate type, or ``aci/1``.
        word: what was done, in a word: ``train``.
        author: the identity that says it, if it is known.
        keyset: of a receipt, the ``sha256:…`` by which it names its author.
        cosigners: identities that must sign too.
        outputs: in the statement's order, each digest once.
        inputs: in the statement's order.
    """

    id: bytes
    type: str
    word: str
    author: bytes | None = None
    keyset: str | None = None
    cosigners: tuple[bytes, ...] = ()
    outputs: tuple[Output, ...] = ()
    inputs: tuple[Input, ...] = ()


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """An identity, as far as a graph needs it.

    Attributes:
        digest: 32 bytes.
        kind: of the evidence: ``tdx`` or ``sgx``.
        evidence: ``sha256:…`` of the evidence.
        keyset: ``sha256:…``, by which receipts name their author.
        previous: the identity that this one says it follows.
        record: the record's bytes, from which labels are read.
    """

    digest: bytes
    kind: str
    evidence: str
    keyset: str
    previous: bytes | None
    record: bytes


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A statement, an identity, or data that no one statement here made.

    Attributes:
        id: 32 bytes: a statement's id, an identity's digest, or the data's digest.
        kind: which of the three.
        state: ``missing`` where it is only spoken of, ``unreadable`` where the source gives
            something else.
        type: of a statement, its predicate type.
        word: of a statement, what was done; of an identity, the kind of its evidence.
        author: of a statement, an identity's digest.
        keyset: of a receipt, and of an identity.
        cosigners: of a statement.
        outputs: of a statement.
        evidence: of an identity, ``sha256:…`` of its evidence.
        name: of data, what the first to use it calls it.
        time: of a statement, T in seconds since 1970, if the caller knew it.
    """

    id: bytes
    kind: Kind
    state: State = "here"
    type: str | None = None
    word: str = ""
    author: bytes | None = None
    keyset: str | None = None
    cosigners: tuple[bytes, ...] = ()
    outputs: tuple[Output, ...] = ()
    evidence: str | None = None
    name: str | None = None
    time: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what is known of the node; digests as text, what is unknown left out."""
        found = {
            "id": named(self.id),
            "kind": self.kind,
            "state": self.state,
            "type": self.type,
            "word": self.word or None,
            "author": None if self.author is None else named(self.author),
            "keyset": self.keyset,
            "cosigners": [named(cosigner) for cosigner in self.cosigners] or None,
            "outputs": [{"digest": named(o.digest), "name": o.name} for o in self.outputs] or None,
            "evidence": self.evidence,
            "name": self.name,
            "time": self.time,
        }
        return {key: value for key, value in found.items() if value is not None}


class Edge(msgspec.Struct, frozen=True, gc=False):
    """One edge.

    Attributes:
        below: the node that speaks.
        above: the node that it speaks of.
        relation: see the head of this module.
        how: ``named``: one speaks of the other by its id. ``digest``: the user names the data
            alone, and one statement here lists it. ``several``: several do. These are followed.
            ``missing``: the statement that is named is not here. Not followed: ``denied``, the
            statement that is named does not list this output; ``one-sided``, of two identities
            only one says that it follows, or is followed.
        role: of an input.
        digest: of the data, for ``made-of`` and ``made-by``.
        name: what the user calls the data.
    """

    below: bytes
    above: bytes
    relation: Relation
    how: How = "named"
    role: str | None = None
    digest: bytes | None = None
    name: str | None = None

    @property
    def holds(self) -> bool:
        """Whether ancestors and descendants are found along it."""
        return self.how not in ("denied", "one-sided")

    def to_json(self) -> dict[str, Any]:
        """Return the edge; digests as text, what does not apply left out."""
        found = {
            "from": named(self.below),
            "to": named(self.above),
            "relation": self.relation,
            "how": self.how,
            "role": self.role,
            "digest": None if self.digest is None else named(self.digest),
            "name": self.name,
        }
        return {key: value for key, value in found.items() if value is not None}


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """What lies downstream of a key.

    Attributes:
        key: the key in full.
        meanings: what the key is here: ``statement``, ``output``, ``mrtd`` and so on.
        seeds: the nodes that the key names, or, of an output, the statements that made it.
        first: the nodes directly downstream.
        nodes: every node downstream, each after one that it was reached from; no seeds, unless a
            cycle leads back to one.
    """

    key: str
    meanings: tuple[str, ...]
    seeds: tuple[bytes, ...]
    first: tuple[bytes, ...]
    nodes: tuple[bytes, ...]


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """One statement, or one piece of data, that something was made of.

    Attributes:
        statement: its id; None for data that no statement here made.
        identity: who says it; None if nobody is known.
        outputs: what it made; of data, the data.
        exact: whether each step down to it names the statement. Otherwise some step names a digest
            alone, and whoever else lists that digest would stand here as well: do not pay by it.
        missing: whether the statement is only spoken of.
    """

    statement: bytes | None
    identity: bytes | None
    outputs: tuple[Output, ...]
    exact: bool
    missing: bool = False


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What an identity's evidence claims; nothing of it was verified.

    Attributes:
        kind: one of ``evidence.recognise.Kind``.
        evidence: ``sha256:…`` of the evidence.
        values: hex by name: ``mrtd``, ``rtmr0`` to ``rtmr3``, ``mrconfigid``, ``compose_hash``;
            of an SGX enclave ``mrenclave`` and ``mrsigner``, of an SEV-SNP guest ``measurement``
            and ``host_data``, of a Nitro enclave ``pcr0`` to ``pcr8``; and ``platform``, the
            SHA-256 of the PPID or the chip id. All zeros name nothing, and are left out.
        problem: why there are no values, if there are none.
    """

    kind: str
    evidence: str
    values: dict[str, str]
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the labels, marked as what they are."""
        found: dict[str, Any] = {"verified": False, **self.values}
        return found if self.problem is None else found | {"problem": self.problem}

"""The graph of a proof: what it costs, and what it keeps out."""

from __future__ import annotations

from teeproof.proof.links import Link
from teeproof.proof.verify.structure import edges_of, order

DIGESTS = tuple(f"sha256:{number:064x}" for number in range(40))


def test_prover_makes_again_all_that_many_others_made_and_each_of_them_is_one_edge():
    ones = [bytes([number]) * 32 for number in range(1, 21)]
    one, *others = ones
    links = dict.fromkeys(ones, ())
    links[one] = tuple(Link("input", digest, None, None) for digest in DIGESTS)
    edges = edges_of(links, dict.fromkeys(ones, frozenset(DIGESTS)), lambda _: ones)
    assert edges[one] == tuple(others)
    found = order(edges)
    assert found.ids[-1] == one
    assert not found.cyclic


def test_what_it_used_and_did_not_make_stays_beside_what_it_made_again():
    one, other = b"1" * 32, b"2" * 32
    again, used = DIGESTS[:2]
    links = {one: tuple(Link("input", digest, None, None) for digest in (again, used)), other: ()}
    outputs = {one: {again}, other: {again, used}}
    made = {again: [one, other], used: [other]}
    edges = edges_of(links, outputs, made.__getitem__)
    assert edges == {one: (used, other), other: (), again: [one, other], used: [other]}

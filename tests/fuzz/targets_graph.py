"""Fuzz targets for the graph: whatever records say, the graph is made, walked and drawn."""

from __future__ import annotations

from contextlib import suppress

from teeproof.core.errors import Error, Usage
from teeproof.proof.graph import Graph
from teeproof.proof.graph.dot import dot
from teeproof.proof.graph.layout import text
from teeproof.proof.graph.lookup import Lookup
from teeproof.proof.graph.shape import shape
from teeproof.proof.graph.tree import rows
from tests.proof.graph.stories import packed, plain_step, story

DIGESTS = ["00" * 32, "00" * 31 + "01", "ab" * 48]


def fuzz_graph(data: bytes) -> None:
    """Records, one per line, draw within their width, and no name leaves its line."""
    with suppress(Error):
        graph = Graph.of_records(line for line in data.split(b"\n") if line)
        nodes = [node.id for node in graph.nodes]
        for direction in ("up", "down"):
            drawn = list(rows(graph, graph.tops(), direction=direction, room=80))
            assert all(line.isprintable() for line in text(drawn, width=80).split("\n"))
        assert all(line.isprintable() for line in dot(graph, nodes))
        assert len(shape(graph, nodes)["nodes"]) == len(graph)
        for node in nodes:
            assert graph.lineage(node) is not None


def fuzz_lookup(data: bytes) -> None:
    """What is found begins as it was asked for."""
    asked = data.decode(errors="replace")
    with suppress(Usage):
        found = Lookup(DIGESTS).find(asked, what="key")
        assert found in DIGESTS
        assert found.startswith(asked.strip().lower().removeprefix("sha256:").rstrip("…."))


def _records() -> list[bytes]:
    circular = [plain_step("a", "x", of=[("in", "y", None)]), plain_step("b", "y", "x")]
    return [b"\n".join(story().records), b"\n".join(map(packed, circular)), b"{}"]


SEEDS = {"fuzz_graph": _records, "fuzz_lookup": lambda: [b"sha256:abab", b"0000", b"ABABAB..."]}

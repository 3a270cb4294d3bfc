"""``teeproof graph``: draw who made what of what, in a proof file or a log."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from teeproof.cli.incoming import on_disk
from teeproof.cli.options import PATH, output_options
from teeproof.cli.quoting import shell, write_unverified
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.digests import named
from teeproof.core.errors import Usage
from teeproof.proof.graph import Graph, Touched
from teeproof.proof.graph.dot import dot
from teeproof.proof.graph.layout import footnotes, lines
from teeproof.proof.graph.model import Node
from teeproof.proof.graph.shape import shape
from teeproof.proof.graph.tree import Direction, Row, rows

__all__ = ["command"]

_PEOPLE = 40  # identities that are listed under a drawing
_LABELS = ("platform", "mrtd", "compose_hash", "mrenclave")


@click.command("graph")
@click.argument("source", metavar="FILE.proof|LOG-DIRECTORY", type=PATH)
@click.argument("statement", metavar="[ID]", required=False)
@click.option("--ancestors", is_flag=True, help="What ID was made of; the default.")
@click.option("--descendants", is_flag=True, help="What was made of ID.")
@click.option("--touched", metavar="KEY", help="All that rests on KEY: see above.")
@click.option("--with", "others", metavar="PATH", type=PATH, multiple=True, help="Join another.")
@click.option("--depth", metavar="N", type=click.IntRange(0), help="Draw so many levels.")
@click.option("--dot", "as_dot", is_flag=True, help="Print a drawing for Graphviz.")
@output_options
def command(
    source: Path,
    statement: str | None,
    *,
    ancestors: bool,
    descendants: bool,
    touched: str | None,
    others: Sequence[Path],
    depth: int | None,
    as_dot: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Draw who made what of what, in a proof file or a log, without checking it.

    ID is a statement, an identity or data: its digest, or the first digits of it. KEY may also be
    an output, a piece of evidence, a code measurement (mrtd, rtmr0 to rtmr3, mrconfigid, compose
    hash) or a platform's id: what is drawn is all that a bad one has touched.

    \b
    Examples
      teeproof graph answer.proof
      teeproof graph log/ 3f2a9c1b --descendants
      teeproof graph log/ --touched 9be1c4d0
    """  # noqa: D301  click reads the \b
    _require_one(statement, ancestors=ancestors, descendants=descendants, touched=touched)
    if as_dot and as_json:
        raise Usage("--dot and --json are two forms: choose one", code="usage")
    with on_disk([source, *others]) as paths, _opened(paths) as (graph, roots):
        view = _View.of(graph, roots, statement, descendants=descendants, touched=touched)
        if as_dot:
            for line in dot(graph, view.nodes(depth)):
                sys.stdout.write(line + "\n")
        elif as_json:
            standard(color).json(view.to_json(depth))
        else:
            _write(standard(color), view, depth, source)
    return 0


def _require_one(
    statement: str | None, *, ancestors: bool, descendants: bool, touched: str | None
) -> None:
    if ancestors + descendants + (touched is not None) > 1:
        raise Usage("--ancestors, --descendants and --touched are three questions: ask one")
    if (ancestors or descendants) and statement is None:
        raise Usage("say whose: teeproof graph SOURCE ID --descendants")
    if touched is not None and statement is not None:
        raise Usage("--touched KEY needs no ID: leave it away")


@contextmanager
def _opened(paths: Sequence[Path]) -> Iterator[tuple[Graph, tuple[bytes, ...]]]:
    """Yield the graph of all sources, and the roots that proof files state."""
    with ExitStack() as stack:
        opened = [stack.enter_context(_one(path)) for path in paths]
        (first, _), *rest = opened
        graph = first.merge(*(other for other, _ in rest)) if rest else first
        yield graph, tuple(dict.fromkeys(root for _, roots in opened for root in roots))


@contextmanager
def _one(path: Path) -> Iterator[tuple[Graph, tuple[bytes, ...]]]:
    # Imported when it is clear what there is to open: both need time.
    from teeproof.proof.graph.logs import graph_of_file, graph_of_log  # noqa: PLC0415

    if not path.is_dir():
        from teeproof.proof.file import ProofFile  # noqa: PLC0415

        with ProofFile.open(path) as file:
            yield graph_of_file(file), file.roots
        return
    from teeproof.cli.log.options import bar  # noqa: PLC0415
    from teeproof.proof.log.storage.log import Log  # noqa: PLC0415

    with Log.open(path, read_only=True) as log:
        with bar("read", log.size) as progress:
            graph = graph_of_log(log, progress=progress)
        yield graph, ()


class _View:
    """What was asked for: where the drawing begins, and which way it goes."""

    def __init__(
        self, graph: Graph, tops: Sequence[bytes], *, down: bool, touched: Touched | None = None
    ) -> None:
        self.graph, self.tops, self.down, self.touched = graph, tops, down, touched

    @classmethod
    def of(
        cls,
        graph: Graph,
        roots: Sequence[bytes],
        statement: str | None,
        *,
        descendants: bool,
        touched: str | None,
    ) -> _View:
        if touched is not None:
            found = graph.touched(touched)
            # Of an output, the statements that made it are no part of what it touched.
            begin = [s for s in found.seeds if s.hex() == found.key or _is_identity(graph, s)]
            return cls(graph, [*begin, *found.first], down=True, touched=found)
        if statement is not None:
            return cls(graph, [graph.find(statement)], down=descendants)
        return cls(graph, [*roots, *graph.tops()], down=False)

    @property
    def direction(self) -> Direction:
        return "down" if self.down else "up"

    def nodes(self, depth: int | None) -> tuple[bytes, ...]:
        return self.graph.around(self.tops, up=not self.down, depth=depth)

    def to_json(self, depth: int | None) -> dict[str, Any]:
        found = shape(self.graph, self.nodes(depth), roots=dict.fromkeys(self.tops))
        if self.touched is not None:
            found["touched"] = {
                "key": self.touched.key,
                "meanings": list(self.touched.meanings),
                "seeds": [named(seed) for seed in self.touched.seeds],
                "nodes": [named(node) for node in self.touched.nodes],
            }
        return found


def _is_identity(graph: Graph, node: bytes) -> bool:
    return graph.node(node).kind == "identity"


def _write(screen: Screen, view: _View, depth: int | None, source: Path) -> None:
    width = screen.width
    drawn = list(
        rows(view.graph, view.tops, direction=view.direction, depth=depth, room=min(width, 120))
    )
    screen.sides(source.name or str(source), _counts(view.graph), "bold")
    what = ("log", "check") if source.is_dir() else ("verify",)
    write_unverified(screen, shell("teeproof", *what, source))
    if view.touched is not None:
        screen.write()
        screen.text(_said_of(view.graph, view.touched))
    screen.write()
    for spans in lines(drawn, width=width):
        screen.write("".join(screen.paint(span.text, *span.styles) for span in spans).rstrip())
    notes = footnotes(drawn)
    if notes:
        screen.write()
    for mark, meaning in notes:
        screen.row(f"({mark})", meaning, "dim", indent=0, column=14)
    _write_people(screen, view.graph, drawn)


def _counts(graph: Graph) -> str:
    nodes = graph.nodes
    counted = {
        "statements": sum(n.kind == "statement" for n in nodes),
        "identities": sum(n.kind == "identity" for n in nodes),
        "inputs that nobody here made": sum(
            n.kind == "data" and not graph.above(n.id) for n in nodes
        ),
    }
    singular = {"statements": "statement", "identities": "identity"}
    singular["inputs that nobody here made"] = "input that nobody here made"
    parts = [f"{n} {singular[what] if n == 1 else what}" for what, n in counted.items() if n]
    return ", ".join(parts) or "empty"


def _said_of(graph: Graph, found: Touched) -> str:
    """Return what a key is, and how much it touched, in a sentence or two."""
    kinds = [graph.node(node).kind for node in found.nodes]
    reached = {kind: kinds.count(kind) for kind in ("statement", "identity")}
    what = ", ".join(found.meanings).replace("compose_hash", "compose hash")
    seeds = ", ".join(map(graph.short, found.seeds[:4])) + ("…" if len(found.seeds) > 4 else "")
    of = f" ({seeds})" if found.seeds and found.seeds[0].hex() != found.key else ""
    few = f"{reached['statement']} statement{'s' if reached['statement'] != 1 else ''}"
    more = f" and {reached['identity']} identities" if reached["identity"] else ""
    return f"{found.key[:16]}… is here as: {what}{of}. Downstream of it: {few}{more}."


def _write_people(screen: Screen, graph: Graph, drawn: Sequence[Row]) -> None:
    """Write each identity that the drawing names, and what its evidence claims."""
    people = {graph.short(node.id): node for node in graph.nodes if node.kind == "identity"}
    spoken = dict.fromkeys(who for row in drawn for who in (*row.by, row.id) if who in people)
    if not spoken:
        return
    screen.title("identities")
    column = max(map(len, spoken)) + 2
    for who in list(spoken)[:_PEOPLE]:
        screen.row(who, _described(graph, people[who]), column=column)
    if len(spoken) > _PEOPLE:
        screen.text(f"and {len(spoken) - _PEOPLE} more: see --json", "dim", indent=2)


def _described(graph: Graph, person: Node) -> str:
    labels = graph.labels(person.id)
    if labels is None:
        return "its record is not here" if person.state == "missing" else "its record is unreadable"
    parts = [labels.kind]
    shown = {k.replace("_hash", ""): v for k, v in labels.values.items() if k in _LABELS}
    parts += [f"{label} {value[:8]}" for label, value in shown.items()]
    if labels.problem is not None:
        parts.append(labels.problem)
    said = sum(edge.relation == "said-by" for edge in graph.below(person.id))
    parts.append(f"{said} statement{'s' if said != 1 else ''}")
    follows = [e for e in graph.above(person.id) if e.relation == "follows" and e.holds]
    parts += [f"follows {graph.short(edge.above)}" for edge in follows]
    return ", ".join(parts)

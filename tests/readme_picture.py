"""Write docs/trade.svg, the README's picture, from a demo: python -m tests.readme_picture DEMO."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import teeproof as tp
from teeproof.explorer.answering import svg_answer
from teeproof.explorer.drawn.drawing import draw
from teeproof.proof.graph.logs import graph_of_file

__all__ = ["PICTURE", "picture", "shape"]

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "trade.svg"
_PAPER = "svg { background: light-dark(#ffffff, #14171a); }"


def picture(demo: Path) -> str:
    """Return what the explorer draws of a demo's trade, as a file that stands alone."""
    with tp.load(demo / "trade.proof") as proof:
        (root,) = proof.roots
        drawn = draw(graph_of_file(proof), root=root, href=lambda _: "")
    drawn = re.sub(r"</?a\b[^>]*>", "", drawn)  # an image has no links
    return bytes(svg_answer(drawn).body).decode().replace("<style>", f"<style>{_PAPER}\n", 1) + "\n"


def shape(svg: str) -> list[str]:
    """Return what does not differ from demo to demo: how many boxes of what kind, and lines."""
    boxes = re.findall(r'<text x="\d+" y="\d+">([^<]+)</text>', svg)
    return [*sorted(boxes), f"{svg.count('<path')} lines"]


if __name__ == "__main__":
    PICTURE.write_text(picture(Path(sys.argv[1])))

"""The graph of who made what of what: agent action <- answer <- model <- training <- dataset.

Statements name their inputs and outputs by digest, so they link by themselves, across logs too.
``Graph.of`` takes what a source holds, ``Graph.of_records`` what one has in hand. Nothing is
verified here: a graph says what is claimed, and how it hangs together; a verdict says what is true.
"""

from teeproof.proof.graph.graph import Graph
from teeproof.proof.graph.model import Contribution, Edge, Labels, Node, Output, Touched

__all__ = ["Contribution", "Edge", "Graph", "Labels", "Node", "Output", "Touched"]

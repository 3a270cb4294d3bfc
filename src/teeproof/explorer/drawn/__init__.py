"""Pictures that the server draws, as SVG; each says the same in text.

drawing, placing, folding    a graph: its boxes and lines, where they stand, what is one pile
listing                      the same graph as lists
plots, curves                bars of what was measured, a number over the steps of a training
"""

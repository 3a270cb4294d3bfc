"""What there is to show of a log: its statements, found by what a person pastes, by kind, by thing.

content     the book: a statement's page with its verdict, proof files, the graph
finding     search, and what was said last
roll        statements by kind and by author
ties        which statements belong to one thing
nodes       what it says of each node of a market
together    several statements, verified as one proof
"""

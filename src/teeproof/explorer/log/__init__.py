"""What there is to show of a log: its statements, found by what a person pastes, by kind, by thing.

content     the book: a statement's page with its verdict, proof files, the graph
entries     what an entry says, in a clause, and its labels
kept        what is shown again for a minute
finding     search, and what was said last; a long log is read in a thread
taken       what was taken in so far
keys        what texts name, in little memory
beside      long work on a long log, in a thread
roll        statements by kind and by author
ties        which statements belong to one thing
nodes       what it says of each node of a market
together    several statements, verified as one proof
graphs      the graph that a page draws
nearby      what is near a statement in a log that is too long for one graph
"""

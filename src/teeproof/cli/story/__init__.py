"""The story of ``teeproof demo``: data, a model, an answer, a trade, money; and all of it proved.

telling, world         how it is told, and what it happens in
children, notary       host processes; the log and its witnesses
real … withdrawn       one file for each part of the story, in its order
money, waiting         tokens and contracts; waiting for a workload's word
running                all of it, from the first line to the last
"""

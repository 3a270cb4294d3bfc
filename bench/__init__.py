"""Every speed claim, beside the limit that is measured in the same run.

How to add one: write ``bench/bench_<area>.py`` with

    def rows() -> Iterator[Row]:
        ours, limit = beside(verify, two_signatures)
        yield Row("verify a quote, warm", ours, limit, "2 P-256 verifies", goal=0.7)

``make bench`` runs each file in a process of its own and prints one table.
"""

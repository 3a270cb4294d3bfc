"""Things that were made: a model, an answer, a pool; each read from what statements say of it.

    standing     what a verdict means for one thing, in a few words
    models       the trainings that claim a model, its data, its tensors, its curves
    answers      a receipt, its events in words, its fee, the bytes that a visitor has
    pools        terms, contributions, datasets, what was withdrawn, what is owed

Everything here is plain data from a ``Book``; ``pages`` shows it.
"""

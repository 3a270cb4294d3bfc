"""A small Llama in NumPy: a model folder in, text out, the same tokens as ``transformers``.

    config      what config.json says, and nothing else is honoured
    rope        positions
    tensors     a folder's tensors as matrices
    llama       scores of the next token, with a cache
    sampling    which token it is
    text        tokens and text
    prompt      messages to a prompt
    engine      all of it, step by step

No torch, no network, no state between answers.
"""

from __future__ import annotations

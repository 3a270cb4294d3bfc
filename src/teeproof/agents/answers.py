"""What the model's service is asked, to the byte, and where in its response the answer stands.

The request is a function of the instruction, the turn and the mandate, so that a stranger can write
it again. It carries the turn's name in ``user``: an answer to an earlier request, or to another
agent's, has a receipt over other bytes and is no answer to this one.

Source: OpenAI API, "Create chat completion".

Trusts: nothing.  Does not trust: whoever served the response.
"""

from __future__ import annotations

from typing import Any

from teeproof.agents.mandate import Mandate
from teeproof.core import strictjson
from teeproof.core.errors import Malformed
from teeproof.proof import canonical

__all__ = ["MAX_RESPONSE", "MAX_TOKENS", "content_of", "request_of"]

MAX_RESPONSE = 32 << 10  # it is carried in the action's statement
MAX_TOKENS = 96  # the longest order has 94 characters


def request_of(text: str, *, turn: str, mandate: Mandate) -> bytes:
    """Return the body of the request for an instruction.

    Args:
        text: the instruction's.
        turn: ``sha256:…`` of the turn.
        mandate: which names the model.
    """
    return canonical.encode(
        {
            "max_tokens": MAX_TOKENS,
            "messages": [{"role": "user", "content": text}],
            "model": mandate.model,
            "temperature": 0,
            "user": turn,
        }
    )


def content_of(response: str) -> str:
    """Return the answer in a response.

    Raises:
        TooLarge, Malformed: it is not a chat completion with exactly one finished message.
    """
    value = strictjson.loads(response, limit=MAX_RESPONSE, what="response")
    try:
        (choice,) = value["choices"]
        content: Any = choice["message"]["content"]
        if choice["finish_reason"] != "stop" or not isinstance(content, str):
            raise ValueError
    except (KeyError, TypeError, ValueError, IndexError):
        raise Malformed(
            "the response is not one finished message",
            code="response_malformed",
            expected="a chat completion with one choice that ended by itself",
        ) from None
    return content

"""Text to tokens and back, piece by piece, and an end at the first of some texts.

Trusts: the ``tokenizers`` library.
Does not trust: whoever wrote ``tokenizer.json``, or the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from teeproof.core.errors import Malformed

__all__ = ["Stops", "Tokens", "Unfolding"]

_BROKEN = "\N{REPLACEMENT CHARACTER}"  # what decoders write for a character that is not whole yet


class Tokens:
    """A model's tokenizer.

    Args:
        data: the bytes of ``tokenizer.json``.
        vocab: how many tokens the model has.

    Raises:
        Malformed: it is no tokenizer, or has tokens that the model does not.
    """

    def __init__(self, data: bytes, *, vocab: int) -> None:
        from tokenizers import Tokenizer  # noqa: PLC0415  an extra

        try:
            self._inner = Tokenizer.from_str(data.decode())
        except Exception as error:  # the library raises Exception itself
            raise _malformed("a tokenizer.json", str(error)[:200]) from None
        self._inner.no_padding()
        self._inner.no_truncation()
        greatest = max(self._inner.get_vocab(with_added_tokens=True).values(), default=-1)
        if not 0 <= greatest < vocab:
            raise _malformed(f"tokens from 0 to {vocab - 1}", f"a token {greatest}")

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text; nothing is put before or behind it.

        Raises:
            Malformed: the tokenizer cannot take this text apart.
        """
        try:
            found: list[int] = self._inner.encode(text, add_special_tokens=False).ids
        except Exception as error:  # as above
            raise _malformed("a tokenizer that takes any text", str(error)[:200]) from None
        return found

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without those that only steer."""
        text: str = self._inner.decode(list(tokens), skip_special_tokens=True)
        return text

    def id(self, token: str) -> int | None:
        """Return the number of a token by its text."""
        found: int | None = self._inner.token_to_id(token)
        return found


class Unfolding:
    """The text of an answer as its tokens come, in whole characters.

    Args:
        tokens: the tokenizer.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._all: list[int] = []
        self._before = self._read = 0

    def add(self, token: int) -> str:
        """Return what text a token adds; none while a character is not whole."""
        self._all.append(token)
        return self._grown(last=False)

    def end(self) -> str:
        """Return what is left, a broken character included."""
        return self._grown(last=True)

    def _grown(self, *, last: bool) -> str:
        # Decoders treat the first token in another way, so some that are known go along.
        known = self._tokens.decode(self._all[self._before : self._read])
        whole = self._tokens.decode(self._all[self._before :])
        if len(whole) <= len(known) or (whole.endswith(_BROKEN) and not last):
            return ""
        self._before, self._read = self._read, len(self._all)
        return whole[len(known) :]


class Stops:
    """Cuts a text at the first of some texts, and holds back what may become one.

    Args:
        texts: none of them empty.
    """

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._texts = tuple(texts)
        self._held = ""
        self.met = False

    def add(self, text: str) -> str:
        """Return what is certain to come before any stop; nothing once one was met."""
        if self.met:
            return ""
        self._held += text
        ends = [at for at in (self._held.find(stop) for stop in self._texts) if at >= 0]
        if ends:
            self.met = True
            return self._release(min(ends))
        return self._release(len(self._held) - self._open())

    def end(self) -> str:
        """Return what was held back; the answer has ended."""
        return "" if self.met else self._release(len(self._held))

    def _open(self) -> int:
        """Return how many characters at the end may be the beginning of a stop."""
        most = max((len(stop) - 1 for stop in self._texts), default=0)
        for count in range(min(most, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-count:]) for stop in self._texts):
                return count
        return 0

    def _release(self, count: int) -> str:
        given, self._held = self._held[:count], self._held[count:]
        return given


def _malformed(expected: str, got: Any) -> Malformed:
    return Malformed(
        "the model's tokenizer does not fit: take the model from its maker again",
        code="tokenizer_malformed",
        expected=expected,
        got=str(got),
    )

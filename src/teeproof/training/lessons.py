"""Records as tokens: the tokenizer, and batches in which the answer's tokens are told apart.

A token is a piece that every answer is made of, a word that many orders are made of (with or
without the space before it), or a single character. The words stand here and are not drawn from
records, so the tokenizer tells nothing of anybody's data; any other word is read letter by letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from teeproof.data.records import Record

__all__ = ["EOS", "PAD", "PIECES", "WORDS", "Lesson", "make_tokens", "padded"]

PIECES: Final = ('{"sell":"', '{"buy":"', '","part":', ',"below":', ',"above":')
"""What every answer is made of beside its values: one token each."""
_WORDS = (
    "a all and at by for from i I if in into is it more my less of on one or our out over part",
    "percent please price the to two three four under want when with",
    "buy invest put reduce rid sell spend take use",
    "cash dollars funds portfolio position hold get go goes",
    "half third quarter fifth tenth above below drops falls rises",
)
WORDS: Final = tuple(word for line in _WORDS for word in line.split())
"""One token each, and one more with a space before it."""
PAD, EOS, _UNKNOWN = "<pad>", "<eos>", "<unk>"
_CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))


@dataclass(frozen=True, slots=True)
class Lesson:
    """One record as tokens.

    Attributes:
        given: the line of English, with its end.
        answer: the order, with the token that ends it.
    """

    given: list[int]
    answer: list[int]

    @classmethod
    def of(cls, record: Record, tokens: Any) -> Lesson:
        """Return the lesson of a record."""
        answer = tokens.encode(record.order.text).ids
        return cls(tokens.encode(record.text + "\n").ids, [*answer, tokens.token_to_id(EOS)])

    @property
    def size(self) -> int:
        """How many tokens it has."""
        return len(self.given) + len(self.answer)


def make_tokens() -> Any:
    """Return the tokenizer: the answer's fixed pieces, words, and single characters."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers  # noqa: PLC0415

    longer = [form for word in WORDS for form in (word, f" {word}") if len(form) > 1]
    entries = (PAD, EOS, _UNKNOWN, *_CHARACTERS, *PIECES, *longer)
    vocabulary = {word: number for number, word in enumerate(entries)}
    tokens = Tokenizer(models.WordLevel(vocabulary, unk_token=_UNKNOWN))
    pieces = ["".join(c if c.isalnum() else f"\\{c}" for c in piece) for piece in PIECES]
    words = rf" ?\b(?:{'|'.join(sorted(WORDS, key=len, reverse=True))})\b"
    pattern = "|".join([*pieces, words, r"[\s\S]"])
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    tokens.pre_tokenizer, tokens.decoder = split, decoders.Fuse()
    tokens.add_special_tokens([PAD, EOS, _UNKNOWN])
    return tokens


def padded(batch: Sequence[Lesson]) -> tuple[Any, Any]:
    """Return inputs, and the tokens that shall follow them: -100 where that does not matter."""
    import torch  # noqa: PLC0415

    longest = max(lesson.size for lesson in batch) - 1
    inputs = torch.zeros(len(batch), longest, dtype=torch.long)
    wanted = torch.full((len(batch), longest), -100)
    for row, lesson in enumerate(batch):
        whole = torch.tensor(lesson.given + lesson.answer)
        inputs[row, : len(whole) - 1] = whole[:-1]
        wanted[row, len(lesson.given) - 1 : len(whole) - 1] = whole[len(lesson.given) :]
    return inputs, wanted

"""Records as tokens: the tokenizer, and batches in which the answer's tokens are told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from teeproof.data.records import Record

__all__ = ["EOS", "PAD", "PIECES", "Lesson", "make_tokens", "padded"]

PIECES: Final = ('{"sell":"', '{"buy":"', '","part":', ',"below":', ',"above":')
"""What every answer is made of beside its values: one token each."""
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
    """Return the tokenizer: the answer's fixed pieces, and single characters."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers  # noqa: PLC0415

    words = (PAD, EOS, _UNKNOWN, *_CHARACTERS, *PIECES)
    vocabulary = {word: number for number, word in enumerate(words)}
    tokens = Tokenizer(models.WordLevel(vocabulary, unk_token=_UNKNOWN))
    pattern = "|".join([*("".join(f"\\{c}" if not c.isalnum() else c for c in p) for p in PIECES)])
    split = pre_tokenizers.Split(Regex(f"{pattern}|[\\s\\S]"), behavior="isolated")
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

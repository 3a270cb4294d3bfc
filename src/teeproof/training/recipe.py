"""What decides a model's weights beside its records: counts that a job spells out as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from teeproof.core.errors import Malformed

__all__ = ["Recipe"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything beside the records that decides the weights; as text it stands in the job.

    Attributes:
        seed: of the first weights and of the order of the records.
        epochs: how often each record is seen.
        batch: records in a step.
        hidden, layers, heads, inner: the model's shape.
        theta: the base of its rotary positions; short texts want a small one.
        rate: of AdamW, for embeddings and norms, in thousandths.
        matrix_rate: of Muon, for all other matrices, in thousandths.
        products: of Muon.
        every: steps between two links of the checkpoint chain.
    """

    seed: int = 0
    epochs: int = 8
    batch: int = 16
    hidden: int = 128
    layers: int = 3
    heads: int = 4
    inner: int = 352
    theta: int = 100
    rate: int = 10
    matrix_rate: int = 20
    products: int = 5
    every: int = 10

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Recipe:
        """Return the recipe that a job's parameters spell out; what is left out has its default.

        Raises:
            Malformed: an unknown name (``recipe_unknown``), or a value that is no count.
        """
        known = {field.name for field in fields(cls)}
        if unknown := parameters.keys() - known:
            raise Malformed(
                "the job has parameters that this program does not know: it would not obey them",
                code="recipe_unknown",
                expected=", ".join(sorted(known)),
                got=", ".join(sorted(unknown))[:200],
            )
        for name, text in parameters.items():
            if not (text.isascii() and text.isdigit()) or len(text) > 6 or text != str(int(text)):
                raise _wrong(f"{name} as a decimal count", text)
        recipe = cls(**{name: int(text) for name, text in parameters.items()})
        recipe.check()
        return recipe

    def check(self) -> None:
        """Raise Malformed unless a model can have this shape."""
        for name in ("epochs", "batch", "hidden", "layers", "heads", "inner", "every", "theta"):
            if not 1 <= getattr(self, name) <= 4096:
                raise _wrong(f"1 to 4,096 for {name}", getattr(self, name))
        if self.hidden % (2 * self.heads):
            raise _wrong("hidden as a multiple of twice the heads", self.hidden)

    @property
    def parameters(self) -> dict[str, str]:
        """The recipe as text, every value spelt out."""
        return {name: str(value) for name, value in asdict(self).items()}


def _wrong(expected: str, got: object) -> Malformed:
    return Malformed(
        "the recipe cannot be followed", code="recipe_malformed", expected=expected,
        got=str(got)[:80],
    )  # fmt: skip

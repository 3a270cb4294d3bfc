"""A model folder that answers: messages in, pieces of text out, one step at a time.

A step is at most ``PREFILL`` tokens of the prompt, or one token of the answer, so that whoever runs
several answers can take turns between them, and stop any of them.

Trusts: ``core.weights``: what was hashed is what runs.  Does not trust: whoever wrote the folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from teeproof.core import strictjson
from teeproof.core.errors import Malformed, Unavailable
from teeproof.core.weights import LoadedModel, ModelDigest, load_model
from teeproof.inference.engine.config import MAX_CONFIG_BYTES, LlamaConfig
from teeproof.inference.engine.llama import Cache, Llama
from teeproof.inference.engine.prompt import Template
from teeproof.inference.engine.sampling import Chooser, Sampling
from teeproof.inference.engine.tensors import matrices
from teeproof.inference.engine.text import Stops, Tokens, Unfolding

__all__ = ["ENGINE", "PREFILL", "Ask", "Engine", "Generation", "Step"]

ENGINE = "teeproof-numpy/1"
"""The name of what computes, for receipts: another number where answers may differ."""
PREFILL = 128

Finish = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Ask:
    """What is wanted of one answer.

    Attributes:
        prompt: tokens, at least one.
        most: tokens of the answer, at most.
        sampling: how they are chosen.
        stops: texts at which it ends; they are not part of it.
    """

    prompt: tuple[int, ...]
    most: int
    sampling: Sampling = field(default_factory=Sampling)
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """What one step brought.

    Attributes:
        text: what it adds to the answer; often nothing.
        finish: why the answer has ended: ``stop`` at its end or a stop text, ``length`` at the
            bound; None if it goes on.
    """

    text: str
    finish: Finish | None = None


class Engine:
    """A model, its tokenizer and its template.

    Args:
        loaded: the folder in memory, with its digest.

    Raises:
        Malformed: a file is missing or does not fit the others.
        Unavailable: code ``extra_missing``; NumPy, tokenizers or Jinja is not installed.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        _require_libraries()
        files = dict(loaded.files)
        for name in ("config.json", "tokenizer.json"):
            if name not in files:
                raise Malformed(
                    "the model folder lacks a file", code="model_incomplete", expected=name
                )
        self.config = LlamaConfig.parse(files["config.json"])
        self.digest: ModelDigest = loaded.digest
        self.tokens = Tokens(files["tokenizer.json"], vocab=self.config.vocab)
        self.template = Template.of_model(files)
        self.ends = frozenset(self.config.eos) | _ends(files)
        self._llama = Llama(self.config, matrices(self.config, loaded.tensors))

    @classmethod
    def open(cls, folder: Path) -> Engine:
        """Return the engine of a model folder; errors as ``load_model`` and ``Engine``."""
        return cls(load_model(folder))

    def prompt(self, messages: Sequence[dict[str, str]]) -> tuple[int, ...]:
        """Return the tokens that the model is to continue.

        Raises:
            Malformed: the template does not take the messages, or nothing is left of them.
        """
        found = tuple(self.tokens.encode(self.template.render(messages)))
        if not found:
            raise Malformed("there is nothing to answer: say something", code="prompt_empty")
        return found

    def start(self, ask: Ask) -> Generation:
        """Return an answer that has not begun.

        Raises:
            Malformed: code ``context_length_exceeded``: prompt and answer do not fit together.
        """
        wanted = len(ask.prompt) + ask.most
        if wanted > self.config.context:
            raise Malformed(
                "prompt and answer do not fit into the model's context: shorten the prompt, or ask"
                " for fewer tokens with max_tokens",
                code="context_length_exceeded",
                expected=f"at most {self.config.context} tokens",
                got=f"{len(ask.prompt)} of the prompt and {ask.most} of the answer",
            )
        return Generation(self, self._llama, ask)


class Generation:
    """One answer in the making.

    Attributes:
        ask: what was wanted.
        count: how many tokens it has so far, one that ended it included.
    """

    def __init__(self, engine: Engine, llama: Llama, ask: Ask) -> None:
        self.ask = ask
        self.count = 0
        self._steps = self._run(engine, llama)

    def step(self) -> Step:
        """Return what one more step brings; call it no more once it said why it ended."""
        return next(self._steps)

    def __iter__(self) -> Iterator[Step]:
        """Return all steps that are left."""
        return self._steps

    def _run(self, engine: Engine, llama: Llama) -> Iterator[Step]:
        cache, prompt = Cache(engine.config), self.ask.prompt
        for at in range(0, len(prompt), PREFILL):
            if at:
                yield Step("")
            scores = llama.scores(prompt[at : at + PREFILL], cache)
        chooser, unfolding = Chooser(self.ask.sampling), Unfolding(engine.tokens)
        stops = Stops(self.ask.stops)
        while True:
            token = chooser.choose(scores)
            self.count += 1
            if token in engine.ends:
                yield Step(stops.add(unfolding.end()) + stops.end(), "stop")
                return
            text = stops.add(unfolding.add(token))
            if stops.met:
                yield Step(text, "stop")
                return
            if self.count == self.ask.most:
                text += stops.add(unfolding.end())
                yield Step(text + stops.end(), "stop" if stops.met else "length")
                return
            yield Step(text)
            scores = llama.scores([token], cache)


def _require_libraries() -> None:
    try:
        import jinja2  # noqa: F401, PLC0415  extras
        import numpy as np  # noqa: F401, PLC0415
        import tokenizers  # noqa: F401, PLC0415
    except ImportError as error:
        raise Unavailable(
            "the engine needs numpy, tokenizers and jinja2: pip install 'teeproof[demo]', or, in a"
            " checkout, pip install -e '.[demo]'",
            code="extra_missing",
            got=str(error),
        ) from None


def _ends(files: dict[str, bytes]) -> frozenset[int]:
    """Return the tokens that ``generation_config.json`` ends an answer at, if there is one."""
    data = files.get("generation_config.json")
    if data is None:
        return frozenset()
    value = strictjson.loads(data, limit=MAX_CONFIG_BYTES, what="generation_config.json")
    found = value.get("eos_token_id") if isinstance(value, dict) else None
    several = found if isinstance(found, list) else [found]
    return frozenset(one for one in several if type(one) is int)

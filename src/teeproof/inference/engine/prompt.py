r"""From messages to the text that the model continues, by the template in the model's own folder.

The template is Jinja, as ``tokenizer_config.json`` states it in ``chat_template``, and is rendered
in Jinja's sandbox with the names that the ``transformers`` library gives: ``messages``,
``add_generation_prompt``, ``bos_token``, ``eos_token``, ``raise_exception``. The folder's digest
covers it, so a receipt that names the model names the template. A model trained on lines says

    {{ messages[-1]['content'] }}{{ '\n' }}

Trusts: Jinja's sandbox against a template that reaches out; a template may still take its time, so
serve a model of somebody whom you would let run code.  Does not trust: messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from teeproof.core import strictjson
from teeproof.core.errors import Malformed

__all__ = ["MAX_PROMPT", "Template"]

MAX_PROMPT = 4 << 20  # characters
_MAX_BYTES = 1 << 20
_TEMPLATE = "chat_template.jinja"


class Template:
    """A model's chat template.

    Args:
        source: its text.
        names: the texts of special tokens by name, such as ``bos_token``.

    Raises:
        Malformed: it is no template.
    """

    def __init__(self, source: str, *, names: dict[str, str] | None = None) -> None:
        from jinja2 import TemplateSyntaxError  # noqa: PLC0415  an extra
        from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415  as above

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals = {"raise_exception": _raise, **environment.globals}
        self._names = dict(names or {})
        try:
            self._template = environment.from_string(source)
        except (TemplateSyntaxError, RecursionError) as error:
            raise _malformed("a Jinja template", str(error)) from None

    @classmethod
    def of_model(cls, files: dict[str, bytes]) -> Template:
        """Return the template of a model folder's files.

        Raises:
            TooLarge, Malformed: there is none (``template_missing``), or it is no template.
        """
        value = strictjson.loads(
            files.get("tokenizer_config.json", b"{}"),
            limit=_MAX_BYTES,
            what="tokenizer_config.json",
        )
        given: dict[str, Any] = value if isinstance(value, dict) else {}
        source = given.get("chat_template")
        if source is None and _TEMPLATE in files:
            source = files[_TEMPLATE][:_MAX_BYTES].decode(errors="replace")
        if not isinstance(source, str):
            raise Malformed(
                "the model does not say how a question is put to it: add a chat_template to its"
                " tokenizer_config.json and have it trained, or its folder sealed, with that",
                code="template_missing",
                expected="a Jinja template as text",
                got=type(source).__name__,
            )
        return cls(source, names=_special(given))

    def render(self, messages: Sequence[dict[str, str]]) -> str:
        """Return the prompt for messages of ``role`` and ``content``.

        Raises:
            Malformed: the template refuses them, or makes too much of them.
        """
        try:
            text = self._template.render(
                messages=[dict(message) for message in messages],
                add_generation_prompt=True,
                **self._names,
            )
        except Exception as error:  # a template may raise anything
            raise _malformed(
                "messages that the model's template takes", type(error).__name__
            ) from None
        if len(text) > MAX_PROMPT:
            raise _malformed(f"at most {MAX_PROMPT} characters of prompt", str(len(text)))
        return text


def _special(given: dict[str, Any]) -> dict[str, str]:
    names = ("bos_token", "eos_token", "pad_token", "unk_token")
    found: dict[str, str] = {}
    for name in names:
        value = given.get(name)
        if isinstance(value, dict):  # older writers give a token's properties too
            value = value.get("content")
        if isinstance(value, str):
            found[name] = value
    return found


def _raise(message: object) -> NoReturn:
    raise ValueError(str(message)[:200])


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "the model's chat template does not take this conversation",
        code="template_refused",
        expected=expected,
        got=got[:200],
    )

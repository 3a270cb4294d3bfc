"""Text to tokens and back, in pieces, with stops; prompts by the model's own template."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from teeproof.core.errors import Malformed
from teeproof.inference.engine.prompt import Template
from teeproof.inference.engine.text import Stops, Tokens, Unfolding
from tests.inference.models import TEMPLATE, tokenizer

CHARACTERS = Tokens(tokenizer().to_str().encode(), vocab=98)


def byte_level() -> Tokens:
    """A tokenizer in which a character may take several tokens, as in most models."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({one: at for at, one in enumerate(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return Tokens(made.to_str().encode(), vocab=256)


BYTES = byte_level()


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_what_is_encoded_is_decoded(text: str) -> None:
    assert CHARACTERS.decode(CHARACTERS.encode(text)) == text


@settings(max_examples=60)
@given(st.text(max_size=30))
def test_an_answer_unfolds_in_whole_characters(text: str) -> None:
    text = text.encode(errors="replace").decode()
    unfolding = Unfolding(BYTES)
    pieces = [unfolding.add(token) for token in BYTES.encode(text)]
    assert "".join(pieces) + unfolding.end() == text
    assert all("\N{REPLACEMENT CHARACTER}" not in piece for piece in pieces) or (
        "\N{REPLACEMENT CHARACTER}" in text
    )


def test_a_character_that_never_becomes_whole_is_shown_as_broken_at_the_end() -> None:
    unfolding = Unfolding(BYTES)
    first = BYTES.encode("é")[0]
    assert unfolding.add(first) == ""
    assert unfolding.end() == "\N{REPLACEMENT CHARACTER}"


def test_tokens_that_only_steer_add_no_text() -> None:
    unfolding = Unfolding(CHARACTERS)
    assert unfolding.add(0) == ""
    assert CHARACTERS.id("<eos>") == 0
    assert unfolding.add(CHARACTERS.encode("a")[0]) == "a"


@given(
    st.lists(st.text("ab", max_size=4), max_size=12),
    st.lists(st.text("ab", min_size=1, max_size=3), max_size=3),
)
def test_stops_cut_where_cutting_the_whole_text_would(pieces: list[str], texts: list[str]) -> None:
    whole, stops = "".join(pieces), Stops(texts)
    found = "".join(map(stops.add, pieces)) + stops.end()
    ends = [at for at in (whole.find(text) for text in texts) if at >= 0]
    # A stop that ends earlier is met earlier, though a longer one may have begun before it.
    if not ends:
        assert found == whole
        assert not stops.met
    else:
        assert stops.met
        assert whole.startswith(found)
        assert any(whole[len(found) :].startswith(text) for text in texts)


def test_text_is_held_back_only_while_it_may_become_a_stop() -> None:
    stops = Stops(["END"])
    assert [stops.add(piece) for piece in ("a", "E", "N", "x", "EN")] == ["a", "", "", "ENx", ""]
    assert (stops.add("D and more"), stops.met, stops.add("later"), stops.end()) == (
        "", True, "", "",
    )  # fmt: skip


def test_a_template_is_rendered_as_transformers_renders_it(tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    source = (
        "{% for message in messages %}\n    <|{{ message['role'] }}|>{{ message['content'] }}"
        "{{ eos_token }}\n{% endfor %}\n{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    theirs = PreTrainedTokenizerFast(tokenizer_object=tokenizer(), eos_token="<eos>")
    talk = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "hi {{ x }}"}]
    ours = Template(source, names={"eos_token": "<eos>"})
    assert ours.render(talk) == theirs.apply_chat_template(
        talk, chat_template=source, tokenize=False, add_generation_prompt=True
    )


def test_the_template_of_lines_takes_the_last_message() -> None:
    talk = [{"role": "user", "content": "old"}, {"role": "user", "content": "new"}]
    assert Template(TEMPLATE).render(talk) == "new\n"


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.__class__.__mro__ }}",
        "{{ raise_exception('only users') }}",
        "{{ 1 / 0 }}",
        "{{ messages[9].content }}",
        "{{ messages.append(1) }}",
    ],
)
def test_client_or_model_reaches_out_of_a_template(source: str) -> None:
    with pytest.raises(Malformed) as refused:
        Template(source).render([{"role": "user", "content": "hi"}])
    assert refused.value.code == "template_refused"


def test_what_is_no_template_is_refused() -> None:
    with pytest.raises(Malformed):
        Template("{% if %}")


def test_a_template_that_makes_too_much_is_refused() -> None:
    with pytest.raises(Malformed) as refused:
        Template("{% for i in range(99999) %}{{ messages[0].content }}{% endfor %}").render(
            [{"role": "user", "content": "x" * 100}]
        )
    assert "4194304" in str(refused.value.expected)

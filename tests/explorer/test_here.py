"""What is here: the lists by kind and by author, and the page that is made of them."""

from __future__ import annotations

import pytest

from teeproof.explorer.log import roll as rolls
from teeproof.explorer.log.roll import Machine, Roll
from tests.explorer.conftest import Shown, ask


def test_the_lists_hold_what_the_log_holds_newest_first(shown: Shown) -> None:
    roll = shown.book.roll
    ids = {one.id.hex(): name for name, one in shown.sealed.items()}
    said = [one for kind in roll.types() for one in roll.of(kind)]
    assert {one.id for one in said} == set(ids)
    every = roll.of(*roll.types())
    assert [one.number for one in every] == sorted((one.number for one in every), reverse=True)
    assert roll.count(*roll.types()) == len(ids)


def test_a_page_of_a_list_is_the_same_as_its_part_of_the_whole(shown: Shown) -> None:
    roll = shown.book.roll
    every = roll.of(*roll.types())
    for start in range(len(every)):
        assert roll.of(*roll.types(), start=start, count=2) == every[start : start + 2]


def test_an_author_said_what_it_signed(shown: Shown) -> None:
    roll = shown.book.roll
    (model,) = shown.book.reads([shown.sealed["model"].id])
    assert model.author is not None
    mine = {one.id for one in roll.by(model.author.hex())}
    assert shown.sealed["model"].id.hex() in mine
    assert shown.sealed["answer"].id.hex() not in mine
    known = roll.machine(model.author.hex())
    assert known is not None
    assert roll.machine(known.keyset) == known
    assert known in roll.machines()


def test_a_full_list_says_so_and_grows_no_more(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolls, "MOST", 2)
    roll = Roll()
    for number in range(4):
        roll.add_machine(Machine(number=number, id=f"{number}", keyset=f"k{number}", labels={}))
    assert roll.machine_count == 2
    assert roll.full


def test_the_page_leads_to_the_latest_of_each_kind(shown: Shown) -> None:
    page = ask(shown.app, "GET", "/here")
    twin = ask(shown.app, "GET", "/here.json").json()
    assert page.status_code == 200
    assert twin["statements"]["count"] == len(shown.sealed)
    for row in twin["statements"]["latest"]:
        assert f'href="{row["href"]}"' in page.text
        assert ask(shown.app, "GET", row["href"]).status_code == 200

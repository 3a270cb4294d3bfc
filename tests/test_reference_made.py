"""The pages on commands and on Python are what the program says of itself."""

from __future__ import annotations

import pytest

from tests.reference_pages import PAGES


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_what_the_program_says(path):
    assert path.read_text() == PAGES[path](), "run python -m tests.reference_pages"


def test_no_address_of_a_run_is_on_a_page():
    for make in PAGES.values():
        assert " at 0x" not in make()

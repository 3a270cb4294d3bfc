"""What strangers read of where a node is."""

from __future__ import annotations

import pytest

from teeproof.chain.onlooker import Onlooker
from teeproof.core.errors import Unavailable


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8545", "http://localhost:8545/", "http://[::1]:8545", "http://127.0.0.2"],
)
def test_a_port_of_this_machine_is_named(url: str):
    assert Onlooker(url).name == url


@pytest.mark.parametrize(
    "url",
    [
        "http://key:secret@127.0.0.1:8545",
        "http://127.0.0.1:8545/v1/secret",
        "http://127.0.0.1:8545?key=secret",
        "http://secret.example:8545",
        "https://node.example/v1/secret",
    ],
)
def test_a_visitor_reads_no_key_of_the_node_that_is_asked(url: str):
    onlooker = Onlooker(url)
    assert onlooker.name == "a node whose address is not shown"
    for words in (f"the node at {url} is slow", f"see {url}"):
        assert "secret" not in onlooker.says(Unavailable(words, code="node_slow"))

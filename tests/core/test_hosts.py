"""What counts as this machine: by number, or localhost; no name that leads here."""

from __future__ import annotations

import pytest

from teeproof.core.hosts import is_this_machine


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1"])
def test_a_host_of_this_machine_is_known_by_number(host: str) -> None:
    assert is_this_machine(host)


@pytest.mark.parametrize("host", ["", "localhost.example", "128.0.0.1", "127.0.0.1.example", "::2"])
def test_network_a_name_that_leads_here_is_not_this_machine(host: str) -> None:
    assert not is_this_machine(host)

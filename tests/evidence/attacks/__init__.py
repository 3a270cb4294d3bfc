"""Attacks on the verifier, each with a test that is named for its attacker."""

import pytest

pytest.register_assert_rewrite("tests.evidence.attacks.court")

"""Tests of pools: contributors, a validator, hosts, operators."""

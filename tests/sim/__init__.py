"""Simulated machines that tests talk to as they would to real ones."""

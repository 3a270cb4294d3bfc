"""Collect evidence from the machine we run on. The only code of this layer that touches devices."""

"""Clocks and subject requests: the shape of their rows (see ``tables``)."""

"""Rotations of keys: the shape of their rows (see ``tables``)."""

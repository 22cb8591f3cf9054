"""Destruction, holds and the shred list: the shape of their rows (see ``tables``)."""

"""The published log and its witnesses: the shape of their rows (see ``tables``)."""

"""Recipients who must be told: the shape of their rows (see ``tables``)."""

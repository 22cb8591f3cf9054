"""Notices and consent events: the shape of their rows (see ``tables``)."""

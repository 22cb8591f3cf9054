"""What a connector must be. ``destination`` and ``source`` hold the two base classes; ``manifest`` what is declared as data."""

"""Connectors out of a manifest alone: ``rest`` and ``soap``. Whoever needs more than they say writes a connector in Python."""

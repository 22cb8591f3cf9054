"""The decisions: gate, keys, vault, pseudonyms, audit log. Pure: ``now``, keys and randomness are arguments."""

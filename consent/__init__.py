"""The decisions: gate, keys, vault, pseudonyms, retention, withdrawal and the audit log. Pure: ``now``, keys and randomness are arguments."""

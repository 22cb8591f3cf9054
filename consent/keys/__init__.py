"""Where keys come from. ``provider`` says what a provider must do, ``keyring`` what one document holds, ``file`` keeps it."""

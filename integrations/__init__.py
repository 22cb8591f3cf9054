"""The vendors: where leads come from and where they go. Nothing here reaches the vault, consent records or the database."""

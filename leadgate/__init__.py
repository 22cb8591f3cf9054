"""The shell: what remembers and what talks. Decisions are in ``consent``, vendors in ``integrations``, words in ``schemas``."""

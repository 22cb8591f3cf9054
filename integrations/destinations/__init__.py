"""One folder a vendor: ``connector.yaml``, a README, fixtures, and ``connector.py`` only where YAML cannot say it."""

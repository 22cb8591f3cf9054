"""Salesforce. See README.md for what to set up in the org and for the quirks that are handled."""

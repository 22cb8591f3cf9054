"""Where leads come from: one folder a source. A source verifies who speaks and says what bytes mean; it decides nothing."""

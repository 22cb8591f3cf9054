"""Simulators (working worlds with failure knobs), the conformance suite every connector inherits, and the sandbox."""

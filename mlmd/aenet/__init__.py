"""Potentials of aenet: its network files read, and evaluated by our engine."""

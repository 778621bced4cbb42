"""Turns uploads and DFT runs into structures and a searchable catalog of frames."""

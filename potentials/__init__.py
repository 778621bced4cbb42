"""Trains, catalogs and uses potentials: training runs, MD runs, curves, validation."""

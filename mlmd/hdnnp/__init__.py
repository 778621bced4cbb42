"""High-dimensional neural-network potentials: our own engine, arrays in, arrays out."""

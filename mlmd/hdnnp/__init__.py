"""High-dimensional neural-network potentials: our own engine, arrays in, arrays out."""


def warm() -> None:
    """Compile the engine and leave it in Numba's cache on disk; half a minute at most, once."""
    # Numba takes a second to import: who only reads a potential's files doesn't need it.
    from mlmd.hdnnp.warming import compile_all

    compile_all()

from mlmd.errors import FormatError


def read_vasprun(source, log):
    raise FormatError(source.name, "x", "y")
    yield

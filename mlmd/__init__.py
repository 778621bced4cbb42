"""Machine-learning molecular dynamics: everything a scientist can use without a web site.

Inside the package every quantity is in Å, eV, eV/Å, amu and fs; files in other
units are converted once, at the format's door.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlmd.client import Portal
    from mlmd.loading import load
    from mlmd.n2p2 import N2p2

__all__ = ["N2p2", "Portal", "__version__", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # Imported when asked for: a run on a compute node needs no client.
    if name == "Portal":
        from mlmd.client import Portal

        return Portal
    if name == "N2p2":
        from mlmd.n2p2 import N2p2

        return N2p2
    if name == "load":
        from mlmd.loading import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

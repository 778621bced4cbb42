"""Machine-learning molecular dynamics: everything a scientist can use without a web site.

Inside the package every quantity is in Å, eV, eV/Å, amu and fs; files in other
units are converted once, at the format's door.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlmd.aenet.pipeline import Aenet
    from mlmd.client import Portal
    from mlmd.loading import load
    from mlmd.n2p2 import N2p2
    from mlmd.notebook import hold, ramp, simulate, train

__all__ = ["Aenet", "N2p2", "Portal", "__version__", "hold", "load", "ramp", "simulate", "train"]
__version__ = "0.1.0"

_PLACES = {
    "Aenet": "mlmd.aenet.pipeline",
    "N2p2": "mlmd.n2p2",
    "Portal": "mlmd.client",
    "hold": "mlmd.notebook",
    "load": "mlmd.loading",
    "ramp": "mlmd.notebook",
    "simulate": "mlmd.notebook",
    "train": "mlmd.notebook",
}


def __getattr__(name: str) -> object:
    # Imported when asked for: a run on a compute node needs no client.
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

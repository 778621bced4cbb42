"""LAMMPS: decks from the settings of our own dynamics, its output read back, our engine inside it."""

from mlmd.lammps.engine import LammpsEngine
from mlmd.lammps.finishing import finish
from mlmd.lammps.launching import LammpsSpec, prepare
from mlmd.lammps.pair_styles import PairStyle, aenet_style, hdnnp_style

__all__ = [
    "LammpsEngine",
    "LammpsSpec",
    "PairStyle",
    "aenet_style",
    "finish",
    "hdnnp_style",
    "prepare",
]

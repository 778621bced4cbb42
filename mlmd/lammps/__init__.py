"""LAMMPS: decks from the settings of our own dynamics, its output read back, our engine inside it."""

from mlmd.lammps.engine import LammpsEngine
from mlmd.lammps.finishing import finish
from mlmd.lammps.launching import LammpsSpec, prepare
from mlmd.lammps.pair_styles import PairStyle, aenet_style, hdnnp_style, with_repulsion
from mlmd.lammps.pair_text import PAIR_FILE, PairText, read_pair_lines

__all__ = [
    "PAIR_FILE",
    "LammpsEngine",
    "LammpsSpec",
    "PairStyle",
    "PairText",
    "aenet_style",
    "finish",
    "hdnnp_style",
    "prepare",
    "read_pair_lines",
    "with_repulsion",
]

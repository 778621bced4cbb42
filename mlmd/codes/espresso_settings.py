"""Settings of a Quantum ESPRESSO calculation and the protocols that preset them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from mlmd.codes.protocols import Presets, Protocol, about
from mlmd.errors import InvalidInput
from mlmd.settings import check, from_mapping

WHERE = "Quantum ESPRESSO settings"
GENTLE_MIXING = 0.3
NAMELISTS = ("CONTROL", "SYSTEM", "ELECTRONS", "IONS", "CELL")
# Where files lie and which atoms there are is decided by the run directory, not by a person.
_OURS = frozenset(
    {
        *("calculation", "prefix", "outdir", "wfcdir", "pseudo_dir"),
        *("ibrav", "nat", "ntyp", "tprnfor", "tstress", "disk_io"),
    }
)
_LINE = re.compile(
    r"(?P<namelist>[A-Za-z]+)\s*:\s*(?P<key>[A-Za-z]\w*(\(\d+(,\d+)*\))?)\s*=(?P<value>.+)"
)
_VALUE = re.compile(
    r"[-+]?\d*\.?\d+([eEdD][-+]?\d+)?|[-+]?\d+\.|\.(true|false)\.|'[\w .,+-]*'", re.I
)


class CalculationKind(StrEnum):
    """What is done with a structure."""

    SCF = "scf"
    RELAX = "relax"
    CELL_RELAX = "vc-relax"


class Smearing(StrEnum):
    """How occupations are smeared; `fixed` for insulators."""

    COLD = "marzari-vanderbilt"
    METHFESSEL_PAXTON = "methfessel-paxton"
    GAUSSIAN = "gaussian"
    FERMI_DIRAC = "fermi-dirac"
    FIXED = "fixed"


@dataclass(frozen=True)
class EspressoSettings:
    """Everything that pw.x is told besides the atoms.

    Raises:
        InvalidInput: a value is out of range, or a further keyword isn't one.
    """

    calculation: CalculationKind = field(
        default=CalculationKind.SCF,
        metadata=about(
            "Calculation", "scf labels the structure as it is; relaxations give a frame a step."
        ),
    )
    cutoff: float = field(
        default=45.0,
        metadata=about(
            "Plane-wave cutoff", "Of the wave functions.", unit="Ry", minimum=5.0, maximum=500.0
        ),
    )
    density_factor: float = field(
        default=8.0,
        metadata=about(
            "Density cutoff / wave-function cutoff",
            "4 is enough for norm-conserving pseudopotentials; ultrasoft and PAW need 8 to 12.",
            minimum=4.0,
            maximum=20.0,
        ),
    )
    k_spacing: float = field(
        default=0.25,
        metadata=about(
            "k-point spacing",
            "Largest distance of neighbouring k-points, 2π included.",
            unit="1/Å",
            minimum=0.02,
            maximum=10.0,
        ),
    )
    smearing: Smearing = field(
        default=Smearing.COLD,
        metadata=about("Smearing", "Fixed is for insulators with an even number of electrons."),
    )
    smearing_width: float = field(
        default=0.02,
        metadata=about(
            "Smearing width", "Of the occupations.", unit="Ry", minimum=0.0001, maximum=0.5
        ),
    )
    spin: bool = field(
        default=False, metadata=about("Spin", "Collinear spins, for magnetic materials.")
    )
    starting_magnetisation: float = field(
        default=0.5,
        metadata=about(
            "Starting magnetisation",
            "Of every element, −1 to 1; used with spin only.",
            minimum=-1.0,
            maximum=1.0,
        ),
    )
    charge: float = field(
        default=0.0,
        metadata=about(
            "Charge", "Electrons taken away from the cell.", unit="e", minimum=-100, maximum=100
        ),
    )
    threshold: float = field(
        default=1e-8,
        metadata=about(
            "SCF threshold",
            "Estimated energy error of an atom at which the self-consistency ends.",
            unit="Ry",
            minimum=1e-14,
            maximum=1e-2,
        ),
    )
    mixing: float = field(
        default=0.5,
        metadata=about("Mixing", "Smaller is slower and safer.", minimum=0.01, maximum=1.0),
    )
    scf_steps: int = field(
        default=120,
        metadata=about("SCF steps", "Most steps to self-consistency.", minimum=1, maximum=2000),
    )
    ionic_steps: int = field(
        default=50,
        metadata=about("Ionic steps", "Most steps of a relaxation.", minimum=1, maximum=1000),
    )
    second_try: bool = field(
        default=True,
        metadata=about(
            "Second try",
            "What doesn't converge is tried once more with gentler mixing (0.3, or half of a "
            "smaller one) and twice the steps.",
        ),
    )
    further: str = field(
        default="",
        metadata=about(
            "Further keywords",
            "Any other keyword of pw.x, with semicolons between: SYSTEM: vdw_corr = 'grimme-d3'",
        ),
    )

    def __post_init__(self) -> None:
        check(self, WHERE)
        self.keywords()

    def keywords(self) -> dict[str, dict[str, str]]:
        """Return the further keywords: namelist → keyword → value as it is written.

        Raises:
            InvalidInput: a line isn't ``NAMELIST: keyword = value``, or is for the portal to set.
        """
        found: dict[str, dict[str, str]] = {}
        for line in re.split(r"[;\n]", self.further):
            if line.strip():
                namelist, key, value = _keyword(line.strip())
                found.setdefault(namelist, {})[key] = value
        return found

    def gentler(self) -> EspressoSettings:
        """Return the settings of the second try."""
        mixing = GENTLE_MIXING if self.mixing > GENTLE_MIXING else self.mixing / 2
        return replace(self, mixing=max(0.01, mixing), scf_steps=min(2000, 2 * self.scf_steps))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> EspressoSettings:
        """Return settings from a JSON object; missing ones take their default."""
        return from_mapping(cls, values, WHERE)


def _keyword(line: str) -> tuple[str, str, str]:
    match = _LINE.fullmatch(line)
    namelist = match["namelist"].upper() if match else ""
    value = match["value"].strip().replace('"', "'") if match else ""
    if match is None or namelist not in NAMELISTS or not _VALUE.fullmatch(value):
        raise InvalidInput(
            f"{WHERE}: further",
            repr(line[:80]),
            f"NAMELIST: keyword = value, with a namelist of {', '.join(NAMELISTS)}",
            "Write texts in single quotes, and yes and no as .true. and .false.",
        )
    key = match["key"].lower()
    if key in _OURS:
        raise InvalidInput(
            f"{WHERE}: further",
            f"the keyword {key}",
            "one that isn't set by the portal",
            "Remove it.",
        )
    return namelist, key, value


protocol_settings = Presets(
    EspressoSettings,
    WHERE,
    {
        Protocol.FAST: {"cutoff": 30.0, "k_spacing": 0.4, "threshold": 1e-7},
        Protocol.MODERATE: {"cutoff": 45.0, "k_spacing": 0.25, "threshold": 1e-8},
        Protocol.PRECISE: {"cutoff": 70.0, "k_spacing": 0.15, "threshold": 1e-10},
    },
)

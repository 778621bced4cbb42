"""What pw.x prints before the first electronic cycle."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from mlmd.elements import atomic_number_of_label
from mlmd.formats.espresso_settings import functional_name
from mlmd.formats.source import Source
from mlmd.frame import Calculation
from mlmd.units import BOHR, RYDBERG

_VERSION = re.compile(r"Program PWSCF\s+v\.\s*(\S+)")
_PSEUDO = re.compile(r"PseudoPot\. # *(\d+) for *(\S+) *read from file:?\s*(\S*)")
_SMEARING = re.compile(
    r"(\S+) (?:smearing, width|broad\.) *\(Ry\) *= *([\d.]+)(?: +ngauss = +(-?\d+))?", re.IGNORECASE
)
# Old versions call every kind a Gaussian and number it.
_NGAUSS = {
    "-99": "fermi-dirac",
    "-1": "marzari-vanderbilt",
    "0": "gaussian",
    "1": "methfessel-paxton",
}
_SPECIES = re.compile(r"(\S+) +(-?\d+\.\d+) +(\d+\.\d+) +\S+ *\( *[\d.]+ *\)")
_HUBBARD = re.compile(r"U\((\S+?)-\S+\) *= *([\d.]+)")
_OLD_HUBBARD = re.compile(r"(\S+) +(\d) +(\d+\.\d+)( +-?\d+\.\d+){1,4}$")
_KINDS = {
    "gaussian": "gaussian",
    "methfessel-paxton": "methfessel-paxton",
    "marzari-vanderbilt": "marzari-vanderbilt",
    "cold": "marzari-vanderbilt",
    "fermi-dirac": "fermi-dirac",
}


class OutputHeader:
    """Collects settings from the lines of the head."""

    def __init__(self) -> None:
        self.alat = 0.0  # Å
        self.is_band_structure = False
        self._version = ""
        self._electrons = ""
        self._cutoff = ""
        self._functional = ""
        self._dispersion = ""
        self._smearing = ""
        self._spin = "none"
        self._pseudopotentials: dict[str, str] = {}
        self._pseudo_waits = ""
        self._masses: dict[str, float] = {}
        self._valences: dict[str, float] = {}
        self._hubbard: dict[str, float] = {}
        self._in_old_hubbard = False

    @property
    def is_old(self) -> bool:
        """Before 4.2, which printed no JOB DONE at its end."""
        match = re.match(r"(\d+)\.(\d+)", self._version)
        return match is not None and (int(match[1]), int(match[2])) < (4, 2)

    def take(self, text: str) -> None:
        """Take a line without its outer blanks."""
        if self._pseudo_waits:
            self._pseudopotentials[self._pseudo_waits] = text.rsplit("/", 1)[-1]
            self._pseudo_waits = ""
        elif match := _VERSION.match(text):
            self._version = match[1]
        elif text.startswith("lattice parameter"):
            self.alat = self.alat or float(_value(text)) * BOHR
        elif text.startswith("celldm(1)"):
            # Two more digits than the line above.
            self.alat = float(text.split("=")[1].split()[0]) * BOHR
        elif match := _PSEUDO.match(text):
            self._pseudopotentials[match[2]] = match[3].rsplit("/", 1)[-1]
            self._pseudo_waits = "" if match[3] else match[2]
        elif match := _SPECIES.match(text):
            self._valences[match[1]] = float(match[2])
            self._masses[match[1]] = float(match[3])
        elif match := _SMEARING.search(text):
            kind = _NGAUSS.get(match[3] or "", match[1].lower())
            width = float(match[2]) * RYDBERG
            self._smearing = f"{_KINDS.get(kind, kind)} {width:.4g} eV"
        else:
            self._take_setting(text)

    def _take_setting(self, text: str) -> None:
        if text.startswith("number of electrons"):
            self._electrons = _value(text)
        elif text.startswith("kinetic-energy cutoff"):
            self._cutoff = _value(text)
        elif text.startswith("Exchange-correlation"):
            self._functional = text.split("=", 1)[1].split("(")[0].strip()
        elif "DFT-D3 Dispersion Correction" in text:
            self._dispersion = "D3"
        elif "Parameters for Dispersion Correction" in text:
            self._dispersion = "D2"
        elif text.startswith("Band Structure Calculation"):
            self.is_band_structure = True
        elif "with spin-orbit" in text:
            self._spin = "spin-orbit"
        elif text.startswith("Noncollinear calculation"):
            self._spin = "non-collinear"
        elif text.startswith("Starting magnetic structure") or "(up:" in text:
            self._spin = "collinear"
        else:
            self._take_hubbard(text)

    def _take_hubbard(self, text: str) -> None:
        if match := _HUBBARD.match(text):
            self._hubbard[match[1]] = float(match[2])
        elif "LDA+U calculation" in text:
            self._in_old_hubbard = True
        elif self._in_old_hubbard and (match := _OLD_HUBBARD.match(text)):
            self._hubbard[match[1]] = float(match[3])

    def atomic_numbers(self, labels: list[str]) -> NDArray[np.uint8]:
        """Return atomic numbers of species labels.

        Raises:
            ValueError: a label without an element.
        """
        known: dict[str, int] = {}
        for label in set(labels):
            number = atomic_number_of_label(label, self._masses.get(label))
            if number is None:
                raise ValueError(f"unknown element “{label[:20]}”")
            known[label] = number
        return np.array([known[label] for label in labels], dtype=np.uint8)

    def calculation(self, source: Source, labels: list[str]) -> Calculation:
        """Return what the head says; k-point meshes are not printed by pw.x."""
        charge = 0.0
        if self._electrons and all(label in self._valences for label in labels):
            valence = sum(self._valences[label] for label in labels)
            charge = round(valence - float(self._electrons), 4)
        return Calculation(
            code="espresso",
            version=self._version,
            functional=functional_name(self._functional.upper()),
            dispersion=self._dispersion,
            hubbard_u={k: v for k, v in self._hubbard.items() if v},
            cutoff_energy=float(self._cutoff) * RYDBERG if self._cutoff else None,
            smearing=self._smearing,
            spin=self._spin,
            charge=charge,
            pseudopotentials=dict(self._pseudopotentials),
            source_name=source.name,
            source_sha256=source.sha256,
            settings={"functional": self._functional} if self._functional else {},
        )


def _value(text: str) -> str:
    words = text.split("=", 1)[-1].split()
    return words[0] if words else ""

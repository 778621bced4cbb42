"""Which keys of extended XYZ hold energy, forces and stress: the conventions in the wild.

``energy``, ``free_energy``, ``forces`` (or ``force``), ``stress`` (tension positive,
eV/Å³) and ``virial`` or ``virials`` (−stress × volume, eV), each also with the
prefixes ``REF_`` and ``dft_``. Six components of a tensor are in the order of ASE:
xx, yy, zz, yz, xz, xy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlmd.formats.atoms import stress_matrix
from mlmd.formats.issues import IssueLog, Severity
from mlmd.frame import FloatArray
from mlmd.units import EV_PER_A3_IN_GPA

# MACE and others set reference values apart by a prefix, since ASE's own readers and
# calculators overwrite the plain keys: with both there, the prefix is the label.
_PREFIXES = ("ref_", "dft_", "")
_BRACKETS = re.compile(r"[\[\]{},]")
# No solid is computed beyond: 3 eV/Å³ are 480 GPa. kbar and GPa read as eV/Å³ mostly are.
_LARGEST_STRESS = 3.0


@dataclass(frozen=True)
class Labels:
    """What a frame says, in eV and Å, tension positive."""

    energy: float | None = None
    energy_sigma0: float | None = None
    forces: FloatArray | None = None
    stress: FloatArray | None = None


class LabelReader:
    """Finds the labels of the frames of one file, and says once what it decided.

    Args:
        log: takes the remarks.
    """

    def __init__(self, log: IssueLog) -> None:
        self._log = log
        self._said: set[str] = set()

    def read(
        self, place: str, info: dict[str, str], arrays: dict[str, Any], cell: FloatArray
    ) -> Labels:
        """Return the labels of a frame.

        Args:
            place: of the frame, for remarks.
            info: key → text of the comment line, keys in lower case.
            arrays: columns by name, lower case.
            cell: rows are lattice vectors, Å.

        Raises:
            ValueError: a label is no number, or has the wrong number of components.
        """
        energy, sigma0 = self._energies(place, info)
        _, forces = self.first(place, arrays, "forces", "force")
        if forces is not None and forces.shape[1] != 3:
            raise ValueError(f"forces have {forces.shape[1]} components; expected 3")
        return Labels(energy, sigma0, forces, self._stress(place, info, cell))

    def _say(self, severity: Severity, place: str, found: str, expected: str, action: str) -> None:
        """Say something about the file once, at the first frame that shows it."""
        if found not in self._said:
            self._said.add(found)
            self._log.add(severity, place, found, expected, action)

    def first(self, place: str, values: dict[str, Any], *names: str) -> tuple[str, Any]:
        """Return key and value of the label; says so when other keys disagree."""
        keys = [p + n for p in _PREFIXES for n in names if p + n in values]
        if not keys:
            return "", None
        chosen = keys[0]
        for other in keys[1:]:
            if not _same(values[chosen], values[other]):
                self._say(
                    Severity.WARNING,
                    place,
                    f"{chosen} and {other} differ",
                    "one label",
                    f"{chosen} was taken, since prefixes mark reference data.",
                )
        return chosen, values[chosen]

    def _energies(self, place: str, info: dict[str, str]) -> tuple[float | None, float | None]:
        free_key, free = self.first(place, info, "free_energy")
        key, energy = self.first(place, info, "energy")
        if key not in ("", "energy") and free_key == "free_energy":
            free = None  # of another calculation than the one that the prefix marks
        sigma0 = info.get("energy_sigma0")
        if free is None or energy is None:
            chosen = energy if free is None else free
        else:
            chosen = free
            if sigma0 is None and float(free) != float(energy):
                sigma0 = energy
                self._say(
                    Severity.NOTE,
                    place,
                    "energy and free_energy differ",
                    "",
                    "free_energy is the one that forces derive from and was taken; energy was "
                    "kept as the one at zero smearing, as ASE writes it.",
                )
        return (
            None if chosen is None else float(chosen),
            None if sigma0 is None else float(sigma0),
        )

    def _stress(self, place: str, info: dict[str, str], cell: FloatArray) -> FloatArray | None:
        given = self._tensor(place, *self.first(place, info, "stress"))
        virial = self._tensor(place, *self.first(place, info, "virial", "virials"))
        volume = abs(float(np.linalg.det(cell)))
        stress = given
        if virial is not None and volume > 0:
            stress = -virial / volume
            if given is not None:
                self._compare(place, given, stress)
        if stress is not None and np.abs(stress).max() > _LARGEST_STRESS:
            largest = float(np.abs(stress).max())
            self._say(
                Severity.WARNING,
                place,
                "a stress that no solid withstands",
                f"eV/Å³, or a virial in eV; {largest:.3g} eV/Å³ are "
                f"{largest * EV_PER_A3_IN_GPA:.3g} GPa",
                "It was kept. If the file is in GPa, divide by 160.2; in kbar, by 1602.",
            )
        return stress

    def _compare(self, place: str, given: FloatArray, stress: FloatArray) -> None:
        tolerance = 1e-4 * float(np.abs(stress).max()) + 1e-9
        if np.abs(given - stress).max() <= tolerance:
            return
        is_turned = np.abs(given + stress).max() <= tolerance
        self._say(
            Severity.WARNING,
            place,
            "stress and virial have the same sign" if is_turned else "stress and virial disagree",
            "stress = −virial / volume, tension positive",
            "The virial was used, since its sign is not in doubt.",
        )

    def _tensor(self, place: str, key: str, text: str | None) -> FloatArray | None:
        if text is None:
            return None
        words = _BRACKETS.sub(" ", text).split()
        if len(words) == 3 and key.endswith("stress"):
            raise ValueError(f"{key} has 3 components; expected 9 or 6")
        matrix = stress_matrix(words)
        if len(words) == 6:
            self._say(
                Severity.NOTE,
                place,
                f"{key} has 6 components",
                "",
                "They were taken in ASE's order xx, yy, zz, yz, xz, xy; VASP prints xy, yz, zx.",
            )
        elif np.abs(matrix - matrix.T).max() > 1e-3 * np.abs(matrix).max() + 1e-6:
            self._say(
                Severity.WARNING,
                place,
                f"{key} is not symmetric",
                "a symmetric tensor of 3 × 3 components",
                "It was kept; check the order of its components.",
            )
        return matrix


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        left, right = (_BRACKETS.sub(" ", text).split() for text in (one, other))
        return left == right or (
            len(left) == len(right)
            and bool(np.allclose(np.array(left, float), np.array(right, float), atol=1e-8))
        )
    return bool(np.shape(one) == np.shape(other) and np.allclose(one, other, atol=1e-8))

"""Why LAMMPS gave up, and what a person can do about it.

Manual: https://docs.lammps.org/Errors_messages.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LONGEST = 300


@dataclass(frozen=True)
class _Cause:
    """A message of LAMMPS, what it means, and what helps; `{0}` takes what the pattern caught."""

    pattern: re.Pattern[str]
    meaning: str
    advice: str


def _cause(pattern: str, meaning: str, advice: str) -> _Cause:
    return _Cause(re.compile(pattern, re.IGNORECASE), meaning, advice)


_CAUSES = (
    _cause(
        r"Unrecognized pair style '([^']+)' is part of the (\S+) package",
        "this LAMMPS was built without the package {1}, which has the pair style {0}",
        "Choose a cluster whose LAMMPS has it, or run with our own engine.",
    ),
    _cause(
        r"Un(?:recognized|known) pair style '?([\w/+-]+)",
        "this LAMMPS knows no pair style {0}",
        "`lmp -h` lists the styles that were built in: pair style hdnnp is in the package "
        "ML-HDNNP, aenet in ML-AENET of aenet-lammps. Choose a cluster that has it, or run with "
        "our own engine.",
    ),
    _cause(
        r"too many extrapolation|extrapolation warnings? (?:exceed|reached)",
        "more atoms left the range that the potential was trained in than maxew allows",
        "Add such configurations to the teacher data, or stay in the trained range.",
    ),
    _cause(
        r"Lost atoms",
        "atoms left the box between two neighbour lists: they fly apart",
        "Take a smaller time step, relax the structure first, or train with such structures.",
    ),
    _cause(
        r"Non-numeric|NaN|Out of range atoms|Bond atoms? missing",
        "positions or forces aren't numbers any more: the run blew up",
        "Take a smaller time step, relax the structure first, or train with such structures.",
    ),
    _cause(
        r"Cannot open (?:\S+ )*?(?:potential )?file:? ?(\S*)",
        "a file that the potential names can't be opened: {0}",
        "Bring it together with the potential's other files.",
    ),
    _cause(
        r"No matching element|element .* not (?:found|in)|Incorrect args for pair coefficients",
        "the lines of the potential don't fit its files or the elements",
        "Look at the lines pair_style and pair_coeff on the potential's card.",
    ),
    _cause(
        r"All pair coeffs are not set",
        "a pair of elements has no coefficients",
        "Add a pair_coeff for each pair of atom types to the potential's lines.",
    ),
    _cause(
        r"Illegal pair_|Incorrect format in|Expected .* parameter",
        "LAMMPS can't read the lines or files of the potential",
        "Look at the lines pair_style and pair_coeff on the potential's card.",
    ),
    _cause(
        r"requires? (?:atom attribute|atom style|a KSpace)",
        "this pair style needs charges or long-range sums, which runs here don't have",
        "Choose a potential without charges.",
    ),
)


def explain(error: str) -> tuple[str, str]:
    """Return what a line by which LAMMPS gave up means, and what to do; LAMMPS' line included.

    Args:
        error: the line of the log that begins with ``ERROR``.
    """
    line = error.strip()[:_LONGEST]
    for cause in _CAUSES:
        if found := cause.pattern.search(line):
            caught = [(group or "?").rstrip(".,") for group in found.groups()]
            return f"{cause.meaning.format(*caught)} (LAMMPS: {line})", cause.advice
    return f"LAMMPS gave up: {line}", "The manual explains its messages: docs.lammps.org/Errors."

"""Which labels may be trained together: those of one level of theory."""

from __future__ import annotations

from collections.abc import Iterable

from mlmd.frame import Calculation


def compat_key(calculation: Calculation) -> str:
    """Return a readable key; frames with different keys must not share a training set.

    It holds what shifts total energies between runs: code, functional, dispersion,
    Hubbard U and the plane-wave cutoff (to 1 eV). Charge and spin state are part of
    a label's identity instead, and k-points and smearing follow the cell. Which
    pseudopotential an element had can't be part of a key that compares cells of
    different elements: see `describe_mixture`.
    """
    parts = [calculation.code or "unknown", calculation.functional or "unknown"]
    if calculation.dispersion:
        parts.append(calculation.dispersion)
    corrected = {e: u for e, u in calculation.hubbard_u.items() if u}
    if corrected:
        parts.append("U(" + ",".join(f"{e}={corrected[e]:g}" for e in sorted(corrected)) + ")")
    if calculation.cutoff_energy is not None:
        parts.append(f"{calculation.cutoff_energy:.0f} eV")
    return " / ".join(parts)


def describe_mixture(calculations: Iterable[Calculation]) -> tuple[str, ...]:
    """Say in what a selection mixes levels of theory; empty when it is of one piece.

    Args:
        calculations: of the selected frames, repeated or not.
    """
    keys: set[str] = set()
    titles: dict[str, set[str]] = {}
    for calculation in calculations:
        keys.add(compat_key(calculation))
        for element, title in calculation.pseudopotentials.items():
            titles.setdefault(element, set()).add(title)
    lines = []
    if len(keys) > 1:
        lines.append("levels of theory: " + "; ".join(sorted(keys)))
    for element in sorted(titles):
        if len(titles[element]) > 1:
            different = "; ".join(sorted(titles[element]))
            lines.append(f"pseudopotentials of {element}: {different}")
    return tuple(lines)

"""What it costs to take atoms out of a crystal."""

from __future__ import annotations

from ase import Atoms

from mlmd.frame import FloatArray
from mlmd.validation.relaxation import relax_positions
from mlmd.validation.report import Table, Value
from mlmd.validation.subject import Findings, RelaxedCrystal, Skipped, Subject
from mlmd.validation.symmetry import inequivalent_atoms, repeats_for_width
from mlmd.validation.teacher_cells import teacher_vacancies

FORMATION, UNRELAXED = "Vacancy formation energy", "Vacancy formation energy, not relaxed"
SCHOTTKY = "Schottky energy per formula unit"
SITES = "Vacancies by site"
COLUMNS = ("element", "site", "energy change (eV)", "relaxation (eV)", "farthest move (Å)")
_MOST_SITES = 8
_FAR = 1.5  # Å: an atom that moves so far has left its site


def check_vacancy(subject: Subject, crystal: RelaxedCrystal) -> Findings:
    """Take out one atom of each kind of site and relax the others in the fixed cell.

    For an element E_f = E(N − 1) − (N − 1)/N · E(N). In a compound that depends on where the atom
    goes; what doesn't is the energy of taking out a whole formula unit as separate vacancies.
    """
    cell = crystal.cell.conventional
    repeats = repeats_for_width(cell, subject.settings.supercell, subject.settings.supercell_atoms)
    whole: Atoms = cell.repeat(repeats)
    before = subject.energy(whole)
    share = before / len(whole)
    if len(whole) < 4:
        raise Skipped(f"a supercell of {len(whole)} atoms is too small for a vacancy.")
    sites = inequivalent_atoms(cell)
    rows: list[tuple[str | int | float, ...]] = []
    notes = [f"{crystal.name}: in a supercell of {len(whole)} atoms."]
    lowest: dict[str, tuple[float, float]] = {}
    for number, site in enumerate(sites[:_MOST_SITES], 1):
        subject.pause()
        symbol = str(cell.symbols[site])
        holed: Atoms = whole.copy()
        del holed[site]
        sharp = subject.energy(holed)
        result = relax_positions(holed, subject.calculator, pause=subject.pause)
        change, gain = result.energy - before, result.energy - sharp
        move = _farthest(holed.positions, result.atoms.positions)
        rows.append((symbol, number, round(change, 4), round(gain, 4), round(move, 3)))
        lowest[symbol] = min(lowest.get(symbol, (change, gain)), (change, gain))
        if move > _FAR:
            notes.append(
                f"{crystal.name}: around a vacancy of {symbol} an atom moves {move:.1f} Å; the "
                "vacancy may not be stable with this potential."
            )
        if not result.converged:
            notes.append(f"{crystal.name}: the vacancy of {symbol} did not relax to the end.")
    if len(sites) > _MOST_SITES:
        notes.append(f"{crystal.name}: {len(sites) - _MOST_SITES} further sites were left out.")
    table = Table(SITES, COLUMNS, tuple(rows), crystal.name)
    values = (*_values(crystal, lowest, share), *teacher_vacancies(subject, crystal))
    return Findings(values, tables=(table,), notes=tuple(notes))


def _values(
    crystal: RelaxedCrystal, lowest: dict[str, tuple[float, float]], share: float
) -> tuple[Value, ...]:
    name, symbols = crystal.name, crystal.cell.primitive.get_chemical_symbols()
    if len(lowest) == 1:
        change, gain = next(iter(lowest.values()))
        return (
            Value(FORMATION, change + share, "eV", subject=name),
            Value(UNRELAXED, change + share - gain, "eV", subject=name),
        )
    if set(symbols) != set(lowest):
        return ()  # sites of an element were left out
    counts = {symbol: symbols.count(symbol) for symbol in lowest}
    units = _common_factor(list(counts.values()))
    changes = sum(counts[symbol] * change for symbol, (change, _) in lowest.items())
    return (Value(SCHOTTKY, (changes + len(symbols) * share) / units, "eV", subject=name),)


def _common_factor(counts: list[int]) -> int:
    return max(d for d in range(1, min(counts) + 1) if all(n % d == 0 for n in counts))


def _farthest(before: FloatArray, after: FloatArray) -> float:
    return float(((after - before) ** 2).sum(axis=1).max() ** 0.5)

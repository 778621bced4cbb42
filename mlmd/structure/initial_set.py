"""A first training set for a crystal: what a potential must have seen before it explores by itself.

Kinds and ranges follow the silicon set that was computed for this project (`docs/benchmarks.md`):
150 to 300 small cells with the equation of state, strain, random displacements, vacancies, the
isolated atom and dimers gave potentials that survive molecular dynamics.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from mlmd.errors import InvalidInput
from mlmd.settings import check, from_mapping
from mlmd.structure.build import build_supercell, displace_randomly, strain
from mlmd.structure.distance import closest_pair

WHERE = "initial set"
MOST_MEMBERS = 2000
BOX = 12.0  # Å, of isolated atoms and dimers
_TOO_CLOSE = 0.65  # of the sum of covalent radii: no code converges there, no potential needs it
_SHORTEST_DIMER, _LONGEST_DIMER = 0.75, 2.6  # of the sum of covalent radii
_TRIES = 5


def _count(label: str, help: str, **more: Any) -> dict[str, Any]:
    return {"label": label, "help": help, "minimum": 0, "maximum": 1000, **more}


@dataclass(frozen=True)
class InitialSetSettings:
    """How many of each kind, and how far they go.

    Raises:
        InvalidInput: a value is out of range.
    """

    equation_points: int = field(
        default=11, metadata=_count("Equation of state", "Volumes, evenly spaced in length.")
    )
    strains: int = field(
        default=30, metadata=_count("Strained cells", "All six components at random.")
    )
    rattles: int = field(
        default=80,
        metadata=_count("Displaced cells", "Every atom at random, in slightly strained cells."),
    )
    vacancies: int = field(
        default=20,
        metadata=_count("Vacancies", "One atom less, in a larger cell, displaced at random."),
    )
    dimers: int = field(
        default=10, metadata=_count("Distances of dimers", "For each pair of elements, in a box.")
    )
    isolated_atoms: bool = field(
        default=True,
        metadata={"label": "Isolated atoms", "help": "One of each element, in a box of 12 Å."},
    )
    largest_expansion: float = field(
        default=0.06,
        metadata=_count(
            "Largest expansion",
            "Of lengths, in the equation of state, up and down.",
            expert=True,
            maximum=0.3,
        ),
    )
    largest_strain: float = field(
        default=0.05,
        metadata=_count("Largest strain", "Of a component.", expert=True, maximum=0.3),
    )
    smallest_displacement: float = field(
        default=0.05,
        metadata=_count(
            "Smallest displacement", "Standard deviation.", unit="Å", expert=True, maximum=1.0
        ),
    )
    largest_displacement: float = field(
        default=0.3,
        metadata=_count(
            "Largest displacement", "Standard deviation.", unit="Å", expert=True, maximum=1.0
        ),
    )
    least_atoms: int = field(
        default=8,
        metadata=_count(
            "Atoms of a cell",
            "Smaller cells are repeated up to this, for vacancies to twice as many.",
            expert=True,
            minimum=1,
        ),
    )
    seed: int = field(
        default=1,
        metadata=_count(
            "Seed", "The same seed gives the same set.", expert=True, maximum=2**31 - 1
        ),
    )

    def __post_init__(self) -> None:
        check(self, WHERE)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> InitialSetSettings:
        """Return settings from a JSON object; missing ones take their default."""
        return from_mapping(cls, values, WHERE)


@dataclass(frozen=True)
class Member:
    """A structure of a set: its name, the kind of configuration, its atoms."""

    name: str
    kind: str
    atoms: Atoms


def initial_set(atoms: Atoms, settings: InitialSetSettings) -> list[Member]:
    """Return a first training set for a crystal.

    Args:
        atoms: a crystal with a full cell.
        settings: how much of each kind.

    Raises:
        InvalidInput: no full cell, nothing asked for, or more than `MOST_MEMBERS`.
    """
    if abs(float(np.linalg.det(atoms.cell.array))) < 1e-6 or not all(atoms.pbc):
        raise InvalidInput(
            WHERE, "a structure that isn't periodic", "a crystal", "Choose or build a crystal."
        )
    pairs = len(list(itertools.combinations_with_replacement(set(atoms.numbers.tolist()), 2)))
    asked = settings.equation_points + settings.strains + settings.rattles + settings.vacancies
    asked += pairs * settings.dimers + settings.isolated_atoms
    if not 0 < asked <= MOST_MEMBERS:
        raise InvalidInput(WHERE, f"{asked} structures", f"1 to {MOST_MEMBERS}")
    cell = _at_least(atoms, settings.least_atoms)
    generator = np.random.default_rng(settings.seed)
    return [
        *_equation_of_state(cell, settings),
        *_strained(cell, settings, generator),
        *_displaced(cell, settings, generator),
        *_with_vacancy(atoms, settings, generator),
        *_alone(atoms, settings),
        *_pairs(atoms, settings),
    ]


def _at_least(atoms: Atoms, count: int) -> Atoms:
    """Repeat the cell along its shortest vector until it has enough atoms."""
    repeats = np.ones(3, dtype=int)
    lengths = np.linalg.norm(atoms.cell.array, axis=1)
    while len(atoms) * repeats.prod() < count:
        repeats[np.argmin(lengths * repeats)] += 1
    return build_supercell(atoms, repeats.tolist())


def _equation_of_state(cell: Atoms, settings: InitialSetSettings) -> Iterator[Member]:
    most = settings.largest_expansion
    points = settings.equation_points
    for amount in np.linspace(-most, most, points) if points > 1 else [0.0] * points:
        yield Member(
            f"lengths {100 * amount:+.1f} %".replace("-", "−"),
            "equation of state",
            strain(cell, [float(amount)]),
        )


def _strained(
    cell: Atoms, settings: InitialSetSettings, generator: np.random.Generator
) -> Iterator[Member]:
    most = settings.largest_strain
    for number in range(settings.strains):
        components = generator.uniform(-most, most, 6)
        yield Member(f"strain {number + 1}", "strain", strain(cell, components))


def _displaced(
    cell: Atoms, settings: InitialSetSettings, generator: np.random.Generator
) -> Iterator[Member]:
    for number, amplitude in enumerate(_amplitudes(settings, settings.rattles), start=1):
        deformed = strain(cell, generator.uniform(-0.5, 0.5, 6) * settings.largest_strain)
        moved = _rattled(deformed, amplitude, generator)
        yield Member(f"displaced {number}, {amplitude:.2f}\u00a0Å", "displaced", moved)


def _with_vacancy(
    atoms: Atoms, settings: InitialSetSettings, generator: np.random.Generator
) -> Iterator[Member]:
    if not settings.vacancies:
        return
    larger = _at_least(atoms, 2 * settings.least_atoms)
    if len(larger) < 2:
        raise InvalidInput(WHERE, "cells of one atom", "larger ones for vacancies", "Ask for more.")
    sites = [np.flatnonzero(larger.numbers == z)[0] for z in dict.fromkeys(larger.numbers.tolist())]
    for number, amplitude in enumerate(_amplitudes(settings, settings.vacancies)):
        left = larger.copy()
        del left[[int(sites[number % len(sites)])]]
        moved = _rattled(left, amplitude / 2, generator)
        yield Member(f"vacancy {number + 1}", "vacancy", moved)


def _amplitudes(settings: InitialSetSettings, count: int) -> list[float]:
    low, high = settings.smallest_displacement, settings.largest_displacement
    return [float(x) for x in np.linspace(min(low, high), max(low, high), count)]


def _rattled(atoms: Atoms, amplitude: float, generator: np.random.Generator) -> Atoms:
    """Displace at random; where atoms come too close, again and each time less."""
    for attempt in range(_TRIES):
        seed = int(generator.integers(2**31))
        moved = displace_randomly(atoms, amplitude * 0.7**attempt, seed)
        pair = closest_pair(moved.positions, moved.cell.array, tuple(moved.pbc))
        if pair is None or pair.distance > _TOO_CLOSE * _bond(moved, pair.first, pair.second):
            return moved
    return strain(atoms, [0.0])


def _bond(atoms: Atoms, first: int, second: int) -> float:
    return float(covalent_radii[atoms.numbers[first]] + covalent_radii[atoms.numbers[second]])


def _elements(atoms: Atoms) -> list[str]:
    return sorted(set(atoms.get_chemical_symbols()), key=atomic_numbers.__getitem__)


def _boxed(symbols: list[str], positions: list[list[float]]) -> Atoms:
    """Return atoms in a box that isn't periodic: one k-point is enough for them."""
    boxed = Atoms(symbols, positions=positions, cell=[BOX, BOX, BOX], pbc=False)
    boxed.center()
    return boxed


def _alone(atoms: Atoms, settings: InitialSetSettings) -> Iterator[Member]:
    if settings.isolated_atoms:
        for element in _elements(atoms):
            yield Member(f"{element} atom", "isolated atom", _boxed([element], [[0.0, 0.0, 0.0]]))


def _pairs(atoms: Atoms, settings: InitialSetSettings) -> Iterator[Member]:
    for one, other in itertools.combinations_with_replacement(_elements(atoms), 2):
        bond = covalent_radii[atomic_numbers[one]] + covalent_radii[atomic_numbers[other]]
        # Denser where the force changes quickly.
        shares = np.geomspace(_SHORTEST_DIMER, _LONGEST_DIMER, settings.dimers)
        for distance in bond * shares:
            pair = _boxed([one, other], [[0.0, 0.0, 0.0], [0.0, 0.0, float(distance)]])
            yield Member(f"{one}–{other} {distance:.2f}\u00a0Å", "dimer", pair)

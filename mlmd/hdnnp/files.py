"""Reading and writing a potential's folder: ``input.nn``, ``scaling.data``, ``weights.ZZZ.data``.

These are n2p2's files, which LAMMPS ``pair_style hdnnp`` reads as well. They don't say their
units, so ours carry a ``units.json`` beside them, and a ``zbl.json`` where nuclei repel each other.
"""

from __future__ import annotations

import json
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.file_texts import input_text, scaling_text, weights_text
from mlmd.hdnnp.potential import (
    Activation,
    CutoffType,
    ElementNetwork,
    Normalisation,
    Potential,
    Scaling,
    ScalingMode,
    SymmetryFunction,
    Units,
    sort_functions,
)
from mlmd.hdnnp.repulsion import ZBL, Repulsion, read_repulsion, save_repulsion
from mlmd.hdnnp.settings_file import Line, SettingsFile, read_lines
from mlmd.hdnnp.symmetry import FUNCTION_KINDS

INPUT = "input.nn"
SCALING = "scaling.data"
UNITS = "units.json"


class AssumedUnits(UserWarning):
    """A potential's folder doesn't say its units; Å and eV were assumed."""


def weights_name(element: str) -> str:
    """Return the name of an element's weights file, ``weights.ZZZ.data``."""
    return f"weights.{atomic_numbers[element]:03d}.data"


def load_potential(
    directory: Path | str, length_unit: str | None = None, energy_unit: str | None = None
) -> Potential:
    """Read a potential's folder.

    Args:
        directory: holds ``input.nn``, ``scaling.data``, ``weights.ZZZ.data``, maybe ``units.json`` and
            ``zbl.json``.
        length_unit: ``"angstrom"`` or ``"bohr"``; overrides ``units.json``.
        energy_unit: ``"ev"``, ``"hartree"`` or ``"rydberg"``; overrides ``units.json``.

    Returns:
        The potential, in its files' own units. Where neither arguments nor ``units.json``
        name a unit, Å and eV are assumed, with an `AssumedUnits` warning.

    Raises:
        InvalidInput: a file is missing, damaged or inconsistent; names file and line.
    """
    folder = Path(directory)
    settings = SettingsFile(folder / INPUT)
    elements = _elements(settings)
    functions = _functions(settings, elements)
    scaling = _read_scaling(folder / SCALING, elements, functions)
    networks = {
        element: _read_weights(
            folder / weights_name(element),
            (len(functions[element]), *_hidden_nodes(settings, element), 1),
            _activations(settings),
        )
        for element in elements
    }
    cutoff = settings.one("cutoff_type")
    return Potential(
        elements=elements,
        functions=functions,
        scaling=scaling,
        networks=networks,
        cutoff_type=_cutoff_type(cutoff),
        cutoff_alpha=cutoff.number(1, float) if len(cutoff.words) > 1 else 0.0,
        scaling_mode=_scaling_mode(settings),
        scale_minimum=settings.number("scale_min_short", 0.0),
        scale_maximum=settings.number("scale_max_short", 1.0),
        atom_energies=_atom_energies(settings, elements),
        normalisation=Normalisation(
            settings.number("mean_energy", 0.0),
            settings.number("conv_energy", 1.0),
            settings.number("conv_length", 1.0),
        ),
        normalize_nodes="normalize_nodes" in settings,
        units=_read_units(folder, length_unit, energy_unit),
        repulsion=_read_repulsion(folder / ZBL),
    )


def save_potential(potential: Potential, directory: Path | str) -> None:
    """Write a potential's folder; reading it back gives the same numbers bit for bit.

    Args:
        potential: what to write.
        directory: made where it doesn't exist; files of the same names are replaced.

    Raises:
        InvalidInput: n2p2's files can't say what the potential has (activation functions or
            numbers of layers that differ between elements).
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INPUT).write_text(input_text(potential), encoding="utf-8")
    (folder / SCALING).write_text(scaling_text(potential), encoding="utf-8")
    for element in potential.elements:
        text = weights_text(potential.networks[element])
        (folder / weights_name(element)).write_text(text, encoding="utf-8")
    units = {"length_unit": potential.units.length, "energy_unit": potential.units.energy}
    (folder / UNITS).write_text(json.dumps(units, indent=1) + "\n", encoding="utf-8")
    (folder / ZBL).unlink(missing_ok=True)
    if potential.repulsion is not None:
        save_repulsion(potential.repulsion, folder)


def _elements(settings: SettingsFile) -> tuple[str, ...]:
    line = settings.one("elements")
    for symbol in line.words:
        if symbol not in atomic_numbers or symbol == "X":
            raise InvalidInput(line.where, f"element {symbol!r}", "element symbols")
    if len(set(line.words)) != len(line.words) or not line.words:
        raise InvalidInput(line.where, " ".join(line.words) or "no element", "each element once")
    count = settings.number("number_of_elements", len(line.words))
    if count != len(line.words):
        raise InvalidInput(line.where, f"{len(line.words)} elements", f"number_of_elements {count}")
    return tuple(sorted(line.words, key=lambda symbol: atomic_numbers[symbol]))


def _functions(
    settings: SettingsFile, elements: tuple[str, ...]
) -> dict[str, tuple[SymmetryFunction, ...]]:
    found: dict[str, list[SymmetryFunction]] = {element: [] for element in elements}
    for line in settings.all("symfunction"):
        function = _function(line)
        strange = [e for e in (function.center, *function.neighbors) if e not in found]
        if strange:
            raise InvalidInput(
                line.where, f"element {strange[0]!r}", f"one of {' '.join(elements)}"
            )
        if function in found[function.center]:
            raise InvalidInput(line.where, "the same function again", "each function once")
        found[function.center].append(function)
    for element, functions in found.items():
        if not functions:
            raise InvalidInput(
                settings.path.name,
                f"no symfunction_short for {element}",
                "at least one per element",
                "The file may be cut off.",
            )
    return {element: sort_functions(functions) for element, functions in found.items()}


def _function(line: Line) -> SymmetryFunction:
    number = line.number(1, int)
    kind = FUNCTION_KINDS.get(number)
    if kind is None:
        known = ", ".join(map(str, sorted(FUNCTION_KINDS)))
        raise InvalidInput(line.where, f"symmetry function type {number}", f"a type among {known}")
    function = kind.parse(line.where, line.words[0], line.words[2:])
    f = function
    numbers = [f.eta, f.rs, f.lam, f.zeta, f.left, f.angle_left, f.angle_right]
    if not np.isfinite(numbers).all():
        raise InvalidInput(line.where, "a parameter that isn't finite", "finite numbers")
    if not 0.0 < function.cutoff < np.inf:
        raise InvalidInput(line.where, f"r_c = {function.cutoff:g}", "a positive cutoff radius")
    return function


def _cutoff_type(line: Line) -> CutoffType:
    number = line.number(0, int)
    try:
        return CutoffType(number)
    except ValueError:
        raise InvalidInput(line.where, f"cutoff type {number}", "0 to 8") from None


def _scaling_mode(settings: SettingsFile) -> ScalingMode:
    scale = "scale_symmetry_functions" in settings
    if "center_symmetry_functions" in settings:
        return ScalingMode.SCALE_CENTER if scale else ScalingMode.CENTER
    if scale:
        return ScalingMode.SCALE
    return ScalingMode.SIGMA if "scale_symmetry_functions_sigma" in settings else ScalingMode.NONE


def _atom_energies(settings: SettingsFile, elements: tuple[str, ...]) -> dict[str, float]:
    energies: dict[str, float] = {}
    for line in settings.all("atom_energy"):
        element = line.word(0)
        if element not in elements or element in energies:
            raise InvalidInput(line.where, f"atom_energy of {element}", "each element once")
        energies[element] = line.number(1, float)
    return energies


def _hidden_nodes(settings: SettingsFile, element: str) -> tuple[int, ...]:
    layers = settings.one("global_hidden_layers_short")
    count = layers.number(0, int)
    line = settings.one("global_nodes_short")
    nodes = [line.number(layer, int) for layer in range(count)]
    for own in settings.all("element_nodes_short"):
        if own.word(0) == element:
            layer = own.number(1, int)
            if not 1 <= layer <= count:
                raise InvalidInput(own.where, f"layer {layer}", f"1 to {count}")
            nodes[layer - 1] = own.number(2, int)
    if count < 0 or any(number < 1 for number in nodes):
        raise InvalidInput(line.where, f"nodes {nodes}", "positive numbers, one per hidden layer")
    return tuple(nodes)


def _activations(settings: SettingsFile) -> tuple[Activation, ...]:
    count = settings.one("global_hidden_layers_short").number(0, int)
    line = settings.one("global_activation_short")
    letters = [line.word(layer) for layer in range(count + 1)]
    known = [a.value for a in Activation if a is not Activation.TWISTED_TANH]
    if not set(letters) <= set(known):
        raise InvalidInput(line.where, f"activations {letters}", f"letters among {' '.join(known)}")
    return tuple(map(Activation, letters))


def _data_rows(path: Path) -> list[tuple[str, list[str]]]:
    """Return (where, words) of the lines that aren't comments or empty."""
    rows = []
    for number, text in enumerate(read_lines(path), 1):
        words = text.split("#", 1)[0].split()
        if words:
            rows.append((f"{path.name}, line {number}", words))
    return rows


def _floats(where: str, words: list[str]) -> list[float]:
    try:
        values = [float(word) for word in words]
    except ValueError:
        raise InvalidInput(where, repr(" ".join(words)), "numbers") from None
    if not np.isfinite(values).all():
        raise InvalidInput(where, repr(" ".join(words)), "finite numbers")
    return values


def _read_scaling(
    path: Path, elements: tuple[str, ...], functions: dict[str, tuple[SymmetryFunction, ...]]
) -> dict[str, Scaling]:
    # n2p2 numbers elements and functions from 1, in sorted order; a last row without
    # function index may carry energy statistics.
    table: dict[tuple[int, int], list[float]] = {}
    for where, words in _data_rows(path):
        if len(words) == 6 and words[0].isdigit() and words[1].isdigit():
            table[int(words[0]), int(words[1])] = _floats(where, words[2:])
        elif len(words) not in (2, 4):
            raise InvalidInput(
                where, f"{len(words)} columns", "e_index sf_index min max mean sigma"
            )
    scaling = {}
    for index, element in enumerate(elements, 1):
        count = len(functions[element])
        rows = [table.pop((index, number), None) for number in range(1, count + 1)]
        missing = [number for number, row in enumerate(rows, 1) if row is None]
        if missing:
            raise InvalidInput(
                path.name,
                f"no row for {element}, function {missing[0]}",
                f"{count} rows for {element}",
                "The file is cut off or belongs to another input.nn.",
            )
        columns = np.array(rows, dtype=np.float64).reshape(count, 4).T.copy()
        scaling[element] = Scaling(*columns)
    if table:
        raise InvalidInput(
            path.name,
            f"{len(table)} rows too many (first: element {min(table)[0]}, function {min(table)[1]})",
            "as many rows as input.nn has functions",
        )
    return scaling


def _read_weights(
    path: Path, sizes: tuple[int, ...], activations: tuple[Activation, ...]
) -> ElementNetwork:
    values: list[float] = []
    where = path.name
    for where, words in _data_rows(path):
        values += _floats(where, words[:1])
    expected = sum((before + 1) * after for before, after in pairwise(sizes))
    if len(values) != expected:
        # n2p2 doesn't check this and reads on into nothing.
        raise InvalidInput(
            where,
            f"{len(values)} connections up to the end",
            f"{expected} for a {'-'.join(map(str, sizes))} network",
            "The file is cut off or belongs to another input.nn.",
        )
    numbers = np.array(values)
    weights: list[FloatArray] = []
    biases: list[FloatArray] = []
    for before, after in pairwise(sizes):
        weights.append(numbers[: before * after].reshape(before, after).copy())
        biases.append(numbers[before * after : (before + 1) * after].copy())
        numbers = numbers[(before + 1) * after :]
    return ElementNetwork(tuple(weights), tuple(biases), activations)


def _read_repulsion(path: Path) -> Repulsion | None:
    return read_repulsion(path.read_bytes()) if path.is_file() else None


def _read_units(folder: Path, length: str | None, energy: str | None) -> Units:
    path = folder / UNITS
    said: dict[str, str] = {}
    if path.is_file():
        try:
            loaded = json.loads(path.read_text(encoding="utf-8"))
            said = {key: str(loaded[key]).lower() for key in ("length_unit", "energy_unit")}
        except (ValueError, KeyError, TypeError):
            raise InvalidInput(
                UNITS, "no length_unit and energy_unit", "a JSON object with both"
            ) from None
    length = length.lower() if length else said.get("length_unit")
    energy = energy.lower() if energy else said.get("energy_unit")
    assumed = length is None or energy is None
    if assumed:
        warnings.warn(
            f"{folder} doesn't say its units: assumed {length or 'angstrom'} and {energy or 'ev'}",
            AssumedUnits,
            stacklevel=3,
        )
    return Units(length or "angstrom", energy or "ev", assumed)

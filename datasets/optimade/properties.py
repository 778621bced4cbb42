"""The properties of an entry: what they mean, how they are asked for and what they are.

Standard names follow OPTIMADE 1.2 (section “Structures Entries”); ours begin with ``_mlmd_``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import Q

from datasets.optimade.columns import (
    Column,
    Elements,
    Empty,
    Fixed,
    Formula,
    Identifier,
    Number,
    OfVersion,
    PublishedAt,
    Ratios,
    Shown,
    Sized,
    Text,
    Truth,
)
from datasets.optimade.entry import Entry

PREFIX = "_mlmd_"
KNOWN_FORCES = Q(max_force__isnull=False)
KNOWN_STRESS = Q(has_stress=True)


class Kind(StrEnum):
    """Data types of OPTIMADE."""

    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    LIST = "list"
    DICTIONARY = "dictionary"


@dataclass(frozen=True)
class Unit:
    """A unit of measurement, by the symbol that definitions use.

    Args:
        symbol: a (compound) unit of GNU Units.
        parts: the single units in it, with their titles.
    """

    symbol: str
    parts: tuple[tuple[str, str], ...]


_ANGSTROM, _EV = ("angstrom", "ångström"), ("electronvolt", "electronvolt")
ANGSTROM = Unit("angstrom", (_ANGSTROM,))
EV = Unit("electronvolt", (_EV,))
EV_PER_ANGSTROM = Unit("angstrom^-1*electronvolt", (_ANGSTROM, _EV))
EV_PER_ANGSTROM3 = Unit("angstrom^-3*electronvolt", (_ANGSTROM, _EV))


@dataclass(frozen=True)
class EntryProperty:
    """One property.

    Args:
        kind: its data type.
        title: a name for people.
        description: what it is, one or two sentences.
        column: how filters ask for it.
        value: its value for an entry.
        operators: of the filter language, what is offered.
        items: of a list, the data types and names of its levels, the innermost last.
        unit: of the numbers, on the innermost level.
        sort: the column that `sort` uses, or empty.
    """

    kind: Kind
    title: str
    description: str
    column: Column
    value: Callable[[Entry], Any]
    operators: tuple[str, ...] = ()
    items: tuple[tuple[Kind, str, int | None], ...] = ()
    unit: Unit | None = None
    sort: str = ""


EQUALITY = ("=", "!=")
ORDER = ("<", "<=", ">", ">=", *EQUALITY)
TEXT = (*ORDER, "CONTAINS", "STARTS WITH", "ENDS WITH")
HAS = ("HAS", "HAS ALL", "HAS ANY", "HAS ONLY")


def _text(
    title: str, description: str, column: Column, value: Callable[[Entry], Any], sort: str = ""
) -> EntryProperty:
    return EntryProperty(Kind.STRING, title, description, column, value, TEXT, sort=sort)


def _number(
    kind: Kind,
    title: str,
    description: str,
    field: str,
    value: Callable[[Entry], Any],
    unit: Unit | None = None,
) -> EntryProperty:
    column = Number(field, whole=kind is Kind.INTEGER)
    return EntryProperty(
        kind, title, description, column, value, ORDER, (), unit, field if column.whole else ""
    )


def _list(
    title: str,
    description: str,
    column: Column,
    value: Callable[[Entry], Any],
    *items: tuple[Kind, str, int | None],
    operators: tuple[str, ...] = (),
    unit: Unit | None = None,
) -> EntryProperty:
    return EntryProperty(Kind.LIST, title, description, column, value, operators, items, unit)


STANDARD: dict[str, EntryProperty] = {
    "id": _text("identifier", "The frame's UUID; it never changes.", Identifier("public_id"),
                lambda e: str(e.row.public_id), "public_id"),
    "type": _text("type of entry", "Always structures.", Fixed("structures"),
                  lambda e: "structures"),
    "immutable_id": _text("immutable identifier", "The same as id: frames never change.",
                          Identifier("public_id"), lambda e: str(e.row.public_id)),
    "last_modified": EntryProperty(
        Kind.TIMESTAMP, "last modified",
        "When the dataset's version that brought the frame was published.",
        PublishedAt(), lambda e: e.published, ORDER),
    "elements": _list("elements", "Chemical symbols, in alphabetical order.",
                      Elements("n_elements"), lambda e: list(e.counts),
                      (Kind.STRING, "dim_elements", None), operators=HAS),
    "nelements": _number(Kind.INTEGER, "number of elements", "How many elements there are.",
                         "n_elements", lambda e: e.row.n_elements),
    "elements_ratios": _list(
        "shares of the elements", "Share of each element of all atoms, in the order of elements.",
        Ratios("n_elements"), lambda e: [n / len(e.frame) for n in e.counts.values()],
        (Kind.FLOAT, "dim_elements", None), operators=HAS),
    "chemical_formula_descriptive": _text(
        "formula of the cell", "All atoms of the cell, such as Si8O16, in Hill's order.",
        Text("formula"), lambda e: e.formula),
    "chemical_formula_reduced": _text(
        "reduced formula", "Smallest whole numbers, elements in alphabetical order.",
        Formula("formula_reduced"), lambda e: e.formula_reduced),
    "chemical_formula_anonymous": _text(
        "anonymous formula", "The reduced formula with letters for elements, such as A2B.",
        Formula("formula_anonymous"), lambda e: e.formula_anonymous),
    "dimension_types": _list(
        "periodic directions", "1 for each lattice vector along which the structure repeats, or 0.",
        Sized(3), lambda e: [int(p) for p in e.frame.pbc], (Kind.INTEGER, "dim_lattice", 3)),
    "nperiodic_dimensions": _number(
        Kind.INTEGER, "number of periodic directions", "From 0 (a molecule) to 3 (a bulk cell).",
        "n_periodic", lambda e: e.row.n_periodic),
    "lattice_vectors": _list(
        "lattice vectors", "Three vectors, Å; null for a direction without one.",
        Sized(3), lambda e: e.lattice_vectors,
        (Kind.LIST, "dim_lattice", 3), (Kind.FLOAT, "dim_spatial", 3), unit=ANGSTROM),
    "cartesian_site_positions": _list(
        "positions", "Of each atom, Å, as the calculation gave them.",
        Sized("n_atoms"), lambda e: e.frame.positions.tolist(),
        (Kind.LIST, "dim_sites", None), (Kind.FLOAT, "dim_spatial", 3), unit=ANGSTROM),
    "nsites": _number(Kind.INTEGER, "number of atoms", "How many atoms the cell holds.",
                      "n_atoms", lambda e: e.row.n_atoms),
    "species": _list(
        "species", "One for each element; sites are never shared nor empty.",
        Sized("n_elements"), lambda e: e.species, (Kind.DICTIONARY, "dim_species", None)),
    "species_at_sites": _list(
        "element of each atom", "Chemical symbols, in the order of the positions.",
        Elements("n_atoms"), lambda e: e.symbols, (Kind.STRING, "dim_sites", None), operators=HAS),
    "structure_features": _list(
        "special features", "Always empty: frames have none of them.",
        Empty(0), lambda e: [], (Kind.STRING, "dim_structure_features", None), operators=HAS),
}  # fmt: skip

OWN: dict[str, EntryProperty] = {
    "energy": _number(
        Kind.FLOAT, "energy", "Of the cell, eV: the one that the forces derive from.",
        "energy", lambda e: e.row.energy, EV),
    "energy_per_atom": _number(
        Kind.FLOAT, "energy per atom", "The energy divided by the number of atoms, eV.",
        "energy_per_atom", lambda e: e.row.energy_per_atom, EV),
    "energy_sigma0": EntryProperty(
        Kind.FLOAT, "energy without smearing", "Extrapolated to zero smearing, eV.",
        Shown(), lambda e: e.frame.energy_sigma0, unit=EV),
    "forces": _list(
        "forces", "On each atom, eV/Å, constraints not applied.",
        Sized("n_atoms", KNOWN_FORCES), lambda e: e.listed("forces"),
        (Kind.LIST, "dim_sites", None), (Kind.FLOAT, "dim_spatial", 3), unit=EV_PER_ANGSTROM),
    "max_force": _number(
        Kind.FLOAT, "largest force", "Length of the largest force on an atom, eV/Å.",
        "max_force", lambda e: e.row.max_force, EV_PER_ANGSTROM),
    "stress": _list(
        "stress", "Cauchy stress, 3 × 3, eV/Å³, tension positive.",
        Sized(3, KNOWN_STRESS), lambda e: e.listed("stress"),
        (Kind.LIST, "dim_spatial", 3), (Kind.FLOAT, "dim_spatial", 3), unit=EV_PER_ANGSTROM3),
    "magnetic_moments": EntryProperty(
        Kind.LIST, "magnetic moments", "Of each atom, in Bohr magnetons.",
        Shown(), lambda e: e.listed("magnetic_moments"),
        items=((Kind.FLOAT, "dim_sites", None),),
        unit=Unit("bohrmagneton", (("bohrmagneton", "Bohr magneton"),))),
    "code": _text("code", "Program that computed the labels.", Text("code"), lambda e: e.row.code),
    "code_version": _text(
        "version of the code", "As the program prints it.",
        Text("calculation__version", may_be_empty=True), lambda e: e.row.calculation.version or None),
    "functional": _text(
        "functional", "Exchange–correlation functional, such as PBE.",
        Text("functional", may_be_empty=True), lambda e: e.row.functional or None),
    "level_of_theory": _text(
        "level of theory", "Frames that differ in it must not be trained together.",
        Text("compat_key"), lambda e: e.row.compat_key),
    "label_source": _text(
        "source of the labels", "ab initio, ml (a machine-learned force field) or none.",
        Text("label_source"), lambda e: e.row.label_source),
    "scf_converged": EntryProperty(
        Kind.BOOLEAN, "SCF converged", "Whether the electronic cycle converged.",
        Truth("scf_converged"), lambda e: e.row.scf_converged, EQUALITY),
    "kind": _text(
        "kind of configuration", "Free text, such as liquid or vacancy.",
        Text("kind", may_be_empty=True), lambda e: e.row.kind or None),
    "split": _text(
        "part of the split", "train, validation or test, where the dataset states a split.",
        Text("split", may_be_empty=True), lambda e: e.row.split or None),
    "ionic_step": _number(
        Kind.INTEGER, "ionic step", "Index in the run that gave the frame, from 0.",
        "ionic_step", lambda e: e.row.ionic_step),
    "structure_hash": _text(
        "hash of the structure", "SHA-256 of the quantised structure; equal ones are duplicates.",
        Text("structure_hash"), lambda e: e.row.structure_hash),
    "dataset_id": _text(
        "dataset", "UUID of the dataset.",
        OfVersion(lambda v: v.dataset, str), lambda e: e.version.dataset),
    "dataset_name": _text(
        "name of the dataset", "As its owners call it.",
        OfVersion(lambda v: v.name, str), lambda e: e.version.name),
    "dataset_version": EntryProperty(
        Kind.INTEGER, "version of the dataset", "Number of the newest published version.",
        OfVersion(lambda v: v.number, int), lambda e: e.version.number, ORDER),
    "licence": _text(
        "licence", "SPDX identifier of the version's licence.",
        OfVersion(lambda v: v.licence, str), lambda e: e.version.licence or None),
    "authors": EntryProperty(
        Kind.LIST, "authors", "Of the dataset's version, in the order of citation, with their ORCID.",
        Shown(), lambda e: list(e.version.authors) or None,
        items=((Kind.STRING, "dim_authors", None),)),
}  # fmt: skip

PROPERTIES: dict[str, EntryProperty] = STANDARD | {f"{PREFIX}{n}": p for n, p in OWN.items()}
# Of the standard, known to have no value here. The scale of a Hill formula is to be chosen by
# chemical insight, which a frame doesn't come with.
WITHOUT_VALUE = frozenset(
    {
        "assemblies",
        "chemical_formula_hill",
        "space_group_it_number",
        "space_group_symbol_hall",
        "space_group_symbol_hermann_mauguin",
        "space_group_symbol_hermann_mauguin_extended",
        "space_group_symmetry_operations_xyz",
    }
)
TOP_LEVEL = ("id", "type")
SORTABLE: dict[str, str] = {name: p.sort for name, p in PROPERTIES.items() if p.sort}

"""The DFT codes that pages and API offer: one entry in the registry each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase import Atoms
from django.conf import settings as site
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.clusters import recipes_of
from jobs.models import Cluster
from labs.exceptions import Refused
from mlmd.codes import espresso, espresso_settings, vasp, vasp_settings
from mlmd.codes.batches import NamedStructure, StructureResult
from mlmd.codes.espresso_input import input_text
from mlmd.codes.pseudopotentials import (
    Pseudopotential,
    pseudopotential_folders,
    pseudopotential_table,
    pseudopotentials_for,
)
from mlmd.codes.vasp_input import (
    incar_text,
    k_points_text,
    ordered,
    poscar_text,
    smearing_of,
)
from mlmd.codes.vasp_potcar import fitting_set, variants_of
from mlmd.launch import Launch, Resources

Potentials = Mapping[str, Mapping[str, str]]
"""Element → ``name`` and ``sha256`` of its potential; the hash is empty where only the cluster knows."""


@dataclass(frozen=True)
class DftCode:
    """How the site works with a code.

    Args:
        name: in addresses and specifications.
        title: what people call it.
        program: recipe that a cluster needs for it.
        settings: dataclass of its settings.
        preset_fields: settings that a protocol decides.
        protocols: protocol → what it means, in words.
        protocol_settings: protocol and changes → settings.
        potentials: cluster, elements and settings → what each element gets; refuses where the
            program or a potential is missing.
        estimate: structures, settings, potentials and cores → seconds.
        inputs: a structure, settings, potentials and resources → name and text of its files.
        prepare: cluster, structures, settings, potentials, resources and folder → launch.
        collect: folder → what became of each structure.
        used: folder → what the run noted about its potentials.
    """

    name: str
    title: str
    program: str
    settings: type
    preset_fields: Collection[str]
    protocols: Mapping[str, Any]
    protocol_settings: Callable[..., Any]
    potentials: Callable[[Cluster, Collection[str], Any], Potentials]
    estimate: Callable[[Sequence[Atoms], Any, Potentials, int], float]
    inputs: Callable[[Atoms, Any, Potentials, Resources], list[tuple[str, str]]]
    prepare: Callable[
        [Cluster, tuple[NamedStructure, ...], Any, Potentials, Resources, Path], Launch
    ]
    collect: Callable[[Path], list[StructureResult]]
    used: Callable[[Path], dict[str, dict[str, str]]]


def site_pseudopotentials() -> dict[str, Pseudopotential]:
    """Return the pseudopotentials of this site by element."""
    return pseudopotential_table(pseudopotential_folders(Path(site.PSEUDO_DIR)))


def _espresso_potentials(cluster: Cluster, elements: Collection[str], settings: Any) -> Potentials:
    if espresso.PROGRAM not in recipes_of(cluster):
        raise Refused(
            _(
                "%(cluster)s has no pw.x. On this machine, install Quantum ESPRESSO (Debian: "
                "apt-get install quantum-espresso); elsewhere its manager adds a recipe for pw.x."
            )
            % {"cluster": cluster}
        )
    files = pseudopotentials_for(elements, site_pseudopotentials())
    return {e: {"name": file.name, "sha256": file.sha256} for e, file in files.items()}


def _espresso_estimate(
    atoms: Sequence[Atoms], settings: Any, potentials: Potentials, cores: int
) -> float:
    return espresso.estimate_seconds(atoms, settings, site_pseudopotentials(), cores)


def _espresso_inputs(
    atoms: Atoms, settings: Any, potentials: Potentials, resources: Resources
) -> list[tuple[str, str]]:
    names = {element: file["name"] for element, file in potentials.items()}
    return [(espresso.INPUT_FILE, input_text(atoms, settings, names))]


def _espresso_prepare(
    cluster: Cluster,
    structures: tuple[NamedStructure, ...],
    settings: Any,
    potentials: Potentials,
    resources: Resources,
    folder: Path,
) -> Launch:
    files = pseudopotentials_for(potentials, site_pseudopotentials())
    for element, file in files.items():
        if file.sha256 != potentials[element]["sha256"]:
            raise Refused(
                _("The pseudopotential of %s was replaced since; start the run anew.") % element
            )
    return espresso.prepare(espresso.EspressoSpec(structures, settings, files, resources), folder)


def _vasp_potentials(cluster: Cluster, elements: Collection[str], settings: Any) -> Potentials:
    recipes = recipes_of(cluster)
    if vasp.PROGRAM not in recipes:
        raise Refused(
            _(
                "%(cluster)s has no vasp_std. VASP is licensed: a manager of a lab with a licence "
                "adds a recipe for vasp_std, and one for the folder of potentials, to a cluster."
            )
            % {"cluster": cluster}
        )
    chosen = fitting_set(recipes, settings)
    variants = variants_of(elements, settings)
    return {e: {"name": f"{chosen}/{variant}", "sha256": ""} for e, variant in variants.items()}


def _vasp_inputs(
    atoms: Atoms, settings: Any, potentials: Potentials, resources: Resources
) -> list[tuple[str, str]]:
    structure = ordered(atoms)
    order = ", ".join(potentials[s]["name"] for s in structure.species)
    return [
        ("INCAR", incar_text(structure, settings, smearing_of([atoms], settings), resources)),
        ("KPOINTS", k_points_text(structure.atoms, settings.k_spacing)),
        ("POSCAR", poscar_text(structure)),
        ("POTCAR", _("put together on the cluster from %s\n") % order),
    ]


def _vasp_prepare(
    cluster: Cluster,
    structures: tuple[NamedStructure, ...],
    settings: Any,
    potentials: Potentials,
    resources: Resources,
    folder: Path,
) -> Launch:
    recipes = recipes_of(cluster)
    library = recipes[fitting_set(recipes, settings)].argv[0]
    return vasp.prepare(vasp.VaspSpec(structures, settings, library, resources), folder)


def _vasp_used(folder: Path) -> dict[str, dict[str, str]]:
    return {
        variant: {"name": entry.title, "sha256": entry.sha256}
        for variant, entry in vasp.potentials_used(folder).items()
    }


CODES: Mapping[str, DftCode] = {
    "espresso": DftCode(
        name="espresso",
        title="Quantum ESPRESSO",
        program=espresso.PROGRAM,
        settings=espresso_settings.EspressoSettings,
        preset_fields=espresso_settings.PRESET_FIELDS,
        protocols={
            "fast": gettext_lazy("fast: a first look, 30 Ry"),
            "moderate": gettext_lazy("moderate: good for most data, 45 Ry"),
            "precise": gettext_lazy("precise: when errors matter more than time, 70 Ry"),
        },
        protocol_settings=espresso_settings.protocol_settings,
        potentials=_espresso_potentials,
        estimate=_espresso_estimate,
        inputs=_espresso_inputs,
        prepare=_espresso_prepare,
        collect=espresso.collect,
        used=lambda folder: {},
    ),
    "vasp": DftCode(
        name="vasp",
        title="VASP",
        program=vasp.PROGRAM,
        settings=vasp_settings.VaspSettings,
        preset_fields=vasp_settings.PRESET_FIELDS,
        protocols={
            "fast": gettext_lazy("fast: a first look, 400 eV"),
            "moderate": gettext_lazy("moderate: good for most data, 520 eV"),
            "precise": gettext_lazy("precise: when errors matter more than time, 680 eV"),
        },
        protocol_settings=vasp_settings.protocol_settings,
        potentials=_vasp_potentials,
        estimate=lambda atoms, settings, potentials, cores: vasp.estimate_seconds(
            atoms, settings, cores
        ),
        inputs=_vasp_inputs,
        prepare=_vasp_prepare,
        collect=vasp.collect,
        used=_vasp_used,
    ),
}


def code_named(name: str) -> DftCode:
    """Return the code.

    Raises:
        Refused: there is none of that name.
    """
    try:
        return CODES[name]
    except KeyError:
        known = ", ".join(CODES)
        raise Refused(
            _("“%(name)s” is no DFT code here; there are: %(known)s.")
            % {"name": name, "known": known}
        ) from None

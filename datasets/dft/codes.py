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

from datasets.models import PseudoFamily, PseudoFile
from datasets.services.pseudopotentials import family_table, pseudo_path
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
        potentials: cluster, elements, settings and a family of pseudopotentials (None for the
            site's) → what each element gets; refuses where the program or a potential is missing.
        estimate: structures, settings, potentials and cores → seconds.
        inputs: a structure, settings, potentials and resources → name and text of its files.
        prepare: cluster, structures, settings, potentials, resources and folder → launch.
        collect: folder → what became of each structure.
        used: folder → what the run noted about its potentials.
        hint: settings and potentials → what a person should think about; empty for nothing.
    """

    name: str
    title: str
    program: str
    settings: type
    preset_fields: Collection[str]
    protocols: Mapping[str, Any]
    protocol_settings: Callable[..., Any]
    potentials: Callable[[Cluster, Collection[str], Any, PseudoFamily | None], Potentials]
    estimate: Callable[[Sequence[Atoms], Any, Potentials, int], float]
    inputs: Callable[[Atoms, Any, Potentials, Resources], list[tuple[str, str]]]
    prepare: Callable[
        [Cluster, tuple[NamedStructure, ...], Any, Potentials, Resources, Path], Launch
    ]
    collect: Callable[[Path], list[StructureResult]]
    used: Callable[[Path], dict[str, dict[str, str]]]
    hint: Callable[[Any, Potentials], str]


def site_pseudopotentials() -> dict[str, Pseudopotential]:
    """Return the pseudopotentials of this site by element."""
    return pseudopotential_table(pseudopotential_folders(Path(site.PSEUDO_DIR)))


def _espresso_potentials(
    cluster: Cluster, elements: Collection[str], settings: Any, family: PseudoFamily | None
) -> Potentials:
    if espresso.PROGRAM not in recipes_of(cluster):
        raise Refused(
            _(
                "%(cluster)s has no pw.x. On this machine, install Quantum ESPRESSO (Debian: "
                "apt-get install quantum-espresso); elsewhere its manager adds a recipe for pw.x."
            )
            % {"cluster": cluster}
        )
    table = site_pseudopotentials() if family is None else family_table(family)
    files = pseudopotentials_for(elements, table, family.name if family else "")
    return {e: {"name": file.name, "sha256": file.sha256} for e, file in files.items()}


def _chosen_files(potentials: Potentials) -> dict[str, Pseudopotential]:
    """Return the files that were chosen, found by their hash wherever they are by now.

    Raises:
        Refused: one is gone, or was replaced by another.
    """
    hashes = [file["sha256"] for file in potentials.values()]
    kept = {row.sha256: row for row in PseudoFile.objects.filter(sha256__in=hashes)}
    site_files = site_pseudopotentials()
    found = {}
    for element, file in potentials.items():
        row = kept.get(file["sha256"])
        if row is not None:
            path = pseudo_path(row.sha256)
            found[element] = Pseudopotential(
                element, path, row.sha256, row.valence, row.cutoff, file["name"]
            )
        elif element in site_files and site_files[element].sha256 == file["sha256"]:
            found[element] = site_files[element]
        else:
            raise Refused(
                _("The pseudopotential of %s was replaced since; start the run anew.") % element
            )
    return found


def _espresso_estimate(
    atoms: Sequence[Atoms], settings: Any, potentials: Potentials, cores: int
) -> float:
    return espresso.estimate_seconds(atoms, settings, _chosen_files(potentials), cores)


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
    files = _chosen_files(potentials)
    return espresso.prepare(espresso.EspressoSpec(structures, settings, files, resources), folder)


def _espresso_hint(settings: Any, potentials: Potentials) -> str:
    suggested = [file.cutoff or 0.0 for file in _chosen_files(potentials).values()]
    most = max(suggested, default=0.0)
    if most <= settings.cutoff:
        return ""
    return _("The files suggest a cutoff of at least %(most).0f Ry; it is %(cutoff)g Ry.") % {
        "most": most,
        "cutoff": settings.cutoff,
    }


def _vasp_potentials(
    cluster: Cluster, elements: Collection[str], settings: Any, family: PseudoFamily | None
) -> Potentials:
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
        preset_fields=espresso_settings.protocol_settings.fields,
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
        hint=_espresso_hint,
    ),
    "vasp": DftCode(
        name="vasp",
        title="VASP",
        program=vasp.PROGRAM,
        settings=vasp_settings.VaspSettings,
        preset_fields=vasp_settings.protocol_settings.fields,
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
        hint=lambda settings, potentials: "",
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

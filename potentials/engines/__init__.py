"""The programs that run molecular dynamics."""

from __future__ import annotations

from django.utils.translation import gettext as _

from jobs.clusters import recipes_of
from jobs.models import Cluster
from potentials.engines.base import Engine, RunInput
from potentials.engines.lammps import LAMMPS
from potentials.engines.own import OWN
from potentials.families import CATALOG, CatalogFamily

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (OWN, LAMMPS)}


def usual_engine(family: CatalogFamily) -> Engine:
    """Return our own engine where it knows the family, else the first that does."""
    return next((e for e in ENGINES.values() if not e.refusal(family)), OWN)


def problem_words(engine: Engine, family: CatalogFamily, cluster: Cluster) -> str:
    """Say why an engine can't run a family's potentials on a cluster, and what to do.

    Empty where it can. Whether LAMMPS was built with a package, only the run tells.
    """
    if refusal := engine.refusal(family):
        return refusal
    known = recipes_of(cluster)
    missing = [code for code in engine.codes if code not in known]
    if not missing:
        return ""
    needs = family.lammps_package
    names = ", ".join(f"{code} ({needs})" if needs and code == "lmp" else code for code in missing)
    if family.evaluated and engine is not OWN:
        return _(
            "%(cluster)s has no %(programs)s. Run with our own engine, which knows this potential; "
            "or ask the cluster's manager to add a recipe."
        ) % {"cluster": cluster.name, "programs": names}
    return _(
        "%(cluster)s has no %(programs)s. Choose another cluster, or ask its manager to add a "
        "recipe."
    ) % {"cluster": cluster.name, "programs": names}


__all__ = [
    "CATALOG",
    "ENGINES",
    "LAMMPS",
    "OWN",
    "Engine",
    "RunInput",
    "problem_words",
    "usual_engine",
]

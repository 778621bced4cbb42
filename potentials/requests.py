"""Turns what came in as JSON into the requests that services take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from datasets.selections import Selection
from datasets.selectors import structures_visible_to, versions_usable_by
from jobs.models import Cluster
from jobs.offering import clusters_offering
from jobs.resources import Asked
from jobs.services import cluster_ensure_local
from labs.exceptions import Refused
from mlmd.md import settings_from_mapping
from mlmd.validation import settings_from_mapping as validation_settings
from potentials.clusters import PROGRAM, clusters_for, default_threads, most_threads
from potentials.families import FAMILIES, Family
from potentials.selectors import potentials_visible_to
from potentials.services.simulations import SimulationRequest
from potentials.services.trainings import TrainingRequest
from potentials.services.validations import ValidationRequest


def family_settings(family: Family, effort: str, changed: Mapping[str, Any]) -> Any:
    """Return a family's settings: the effort's, with some of them changed.

    Raises:
        mlmd.errors.InvalidInput: an unknown name or a value that can't be.
    """
    return family.read_settings({**family.presets[effort], **changed})


def training_request(user: Any, values: Mapping[str, Any]) -> TrainingRequest:
    """Return a training request from the API's values (`TrainingRequestSerializer`).

    Raises:
        Refused: a cluster or a filter that can't be used.
        mlmd.errors.InvalidInput: settings that can't be.
    """
    selection = Selection.from_json(
        {"versions": [str(i) for i in values["versions"]], "filters": values["filters"]}
    )
    family = FAMILIES[values["family"]]
    # A named cluster that lacks the family's programs is told when the training starts.
    fitting = clusters_for(user, [family])
    every = clusters_for(user, FAMILIES.values())
    cluster = _chosen(values.get("cluster"), every if values.get("cluster") else fitting or every)
    return TrainingRequest(
        name=values["name"],
        selection=selection,
        family=values["family"],
        effort=values["effort"],
        settings=family_settings(family, values["effort"], values["settings"]),
        cluster=cluster,
        threads=_threads(cluster, values.get("threads")),
        visibility=values["visibility"],
        asked=Asked(**values.get("resources", {})),
    )


def simulation_request(user: Any, values: Mapping[str, Any]) -> SimulationRequest:
    """Return an MD request from the API's values (`SimulationRequestSerializer`).

    Raises:
        Refused: a potential, structure or cluster that isn't there for this person.
        mlmd.errors.InvalidInput: settings that can't be.
    """
    potential = potentials_visible_to(user).filter(public_id=values["potential"]).first()
    if potential is None:
        raise Refused(_("The potential doesn't exist or isn't visible to you."))
    structure = structures_visible_to(user).filter(public_id=values["structure"]).first()
    if structure is None:
        raise Refused(_("The structure doesn't exist or isn't visible to you."))
    cluster = _cluster(user, values.get("cluster"))
    a, b, c = values["repeats"]
    return SimulationRequest(
        name=values["name"],
        potential=potential,
        structure=structure,
        repeats=(a, b, c),
        settings=settings_from_mapping(values["settings"]),
        cluster=cluster,
        threads=_threads(cluster, values.get("threads")),
        visibility=values["visibility"],
        asked=Asked(**values.get("resources", {})),
        engine=values["engine"],
    )


def validation_request(user: Any, values: Mapping[str, Any]) -> ValidationRequest:
    """Return how to validate from the API's values (`ValidationRequestSerializer`).

    Raises:
        Refused: a version or cluster that isn't there for this person.
        mlmd.errors.InvalidInput: settings that can't be.
    """
    ids, cluster = values.get("versions"), None
    versions = None
    if ids is not None:
        versions = tuple(versions_usable_by(user).filter(public_id__in=ids))
        if len(versions) != len(set(ids)):
            raise Refused(
                _("A dataset version doesn't exist, is a draft, or isn't visible to you.")
            )
    if values.get("cluster"):
        cluster = _cluster(user, values["cluster"])
    return ValidationRequest(
        settings=validation_settings(values.get("settings") or {}),
        versions=versions,
        cluster=cluster,
        threads=_threads(cluster or cluster_ensure_local(), values["threads"]),
    )


def _cluster(user: Any, public_id: UUID | None) -> Cluster:
    return _chosen(public_id, clusters_offering(user, PROGRAM))


def _chosen(public_id: UUID | None, clusters: QuerySet[Cluster]) -> Cluster:
    found = clusters.filter(public_id=public_id).first() if public_id else clusters.first()
    if found is None:
        raise Refused(
            _("The cluster doesn't exist, takes no runs, has no mlmd, or isn't visible to you.")
        )
    return found


def _threads(cluster: Cluster, asked: int | None) -> int:
    if asked is None:
        return min(default_threads(), most_threads(cluster))
    if asked > most_threads(cluster):
        raise Refused(
            _("%(cluster)s has %(cores)s cores.")
            % {"cluster": cluster.name, "cores": most_threads(cluster)}
        )
    return asked

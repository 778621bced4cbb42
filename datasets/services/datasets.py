"""Datasets are made, described, withdrawn and, while nothing refers to them, deleted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone
from django.utils.translation import gettext as _

from datasets.credits import Credits, authors_check, authors_to_json
from datasets.files import original_remove
from datasets.models import Calculation, Dataset, Frame, Licence
from datasets.services.access import creation_check
from datasets.services.frames import frames_insert, frames_remove
from datasets.services.versions import dataset_lock, dataset_publish, draft_ensure
from datasets.snapshots import snapshots_remove
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab, Visibility

SILICON_NAME = "Silicon, pw.x LDA"
MOST_TAGS = 20


@transaction.atomic
def dataset_create(
    *,
    owner: Any,
    lab: Lab,
    name: str,
    description: str = "",
    licence: str = "",
    tags: Iterable[str] = (),
    visibility: str = Visibility.LAB,
    credited: Credits | None = None,
) -> Dataset:
    """Make an empty dataset with a first draft.

    Raises:
        PermissionDenied: the person may not add to the lab.
        Refused: no name, or a licence or visibility that isn't offered.
    """
    creation_check(owner, lab)
    dataset = Dataset.objects.create(
        owner=owner,
        lab=lab,
        **_checked(name, description, licence, tags, visibility),
        **_credited(credited),
    )
    draft_ensure(dataset)
    audit_record(actor=owner, verb="dataset created", target=dataset)
    return dataset


@transaction.atomic
def dataset_update(
    *,
    dataset: Dataset,
    actor: Any,
    name: str,
    description: str,
    licence: str,
    tags: Iterable[str],
    visibility: str,
    credited: Credits | None = None,
) -> Dataset:
    """Change what is said of a dataset; published versions keep their licence and citation.

    Without `credited`, authors, funding and embargo stay as they are.
    """
    dataset = dataset_lock(dataset)
    values = _checked(name, description, licence, tags, visibility) | _credited(credited)
    changed = sorted(k for k, v in values.items() if getattr(dataset, k) != v)
    for field, value in values.items():
        setattr(dataset, field, value)
    dataset.save()
    # A file is seen by those who see what came of it.
    dataset.uploads.update(visibility=dataset.visibility)
    if changed:
        audit_record(
            actor=actor,
            verb="dataset changed",
            target=dataset,
            fields=changed,
            visibility=dataset.visibility,
        )
    return dataset


@transaction.atomic
def dataset_withdraw(*, dataset: Dataset, actor: Any, reason: str) -> None:
    """Take a dataset out of use; its page stays, with the reason.

    Raises:
        Refused: no reason, or withdrawn before.
    """
    if not reason.strip():
        raise Refused(_("Say why the dataset is withdrawn: those who used it will read it."))
    dataset = dataset_lock(dataset)
    dataset.withdrawn_at = timezone.now()
    dataset.withdrawn_reason = reason.strip()[:400]
    dataset.save()
    audit_record(
        actor=actor, verb="dataset withdrawn", target=dataset, reason=dataset.withdrawn_reason
    )


@transaction.atomic
def dataset_delete(*, dataset: Dataset, actor: Any) -> None:
    """Delete a dataset that nobody can have relied on, with its frames and uploads.

    Raises:
        Refused: it has a published version, or something refers to it.
    """
    if dataset.versions.published().exists():
        raise Refused(
            _(
                "“%s” has published versions, which others may cite: withdraw it instead of "
                "deleting it."
            )
            % dataset
        )
    key, uploads = dataset.pk, list(dataset.uploads.values_list("public_id", flat=True))
    audit_record(actor=actor, verb="dataset deleted", target=dataset, frames=dataset.frame_count)
    frames_remove(Frame.objects.filter(dataset=dataset))
    try:
        Calculation.objects.filter(dataset=dataset).delete()
        dataset.delete()
    except ProtectedError as error:
        # Leaving the block with an error undoes the removal above.
        raise Refused(
            _("“%s” is used elsewhere: withdraw it instead of deleting it.") % dataset
        ) from error
    transaction.on_commit(lambda: [original_remove(public_id) for public_id in uploads])
    transaction.on_commit(lambda: snapshots_remove(key))


def bundled_silicon_dataset(*, owner: Any, lab: Lab) -> Dataset:
    """Return the lab's copy of the bundled silicon data, made and published when missing."""
    from mlmd.data import silicon_frames

    existing = Dataset.objects.filter(
        lab=lab, name=SILICON_NAME, tags__icontains="bundled", withdrawn_at=None
    ).first()
    if existing is not None and existing.versions.published().exists():
        return existing
    with transaction.atomic():
        dataset = dataset_create(
            owner=owner,
            lab=lab,
            name=SILICON_NAME,
            description=(
                "205 plane-wave calculations of silicon (Quantum ESPRESSO pw.x 6.7, LDA): "
                "equation of state, strained, rattled and molten cells, defects, other "
                "phases and slabs. Made for this project as an example to train on."
            ),
            licence=Licence.CC0,
            tags=["bundled", "silicon"],
        )
        frames_insert(dataset=dataset, actor=owner, frames=silicon_frames())
        dataset_publish(dataset=dataset, actor=owner, notes=_("As bundled with the portal."))
    dataset.refresh_from_db()
    return dataset


def _credited(credited: Credits | None) -> dict[str, Any]:
    if credited is None:
        return {}
    return {
        "authors": authors_to_json(authors_check(credited.authors)),
        "funding": credited.funding.strip(),
        "embargo_until": credited.embargo_until,
    }


def _checked(
    name: str, description: str, licence: str, tags: Iterable[str], visibility: str
) -> dict[str, Any]:
    name = " ".join(name.split())
    if not name:
        raise Refused(_("A dataset needs a name."))
    if len(name) > 200:
        raise Refused(_("The name has %d characters; at most 200 are possible.") % len(name))
    if licence not in Licence.values:
        raise Refused(
            _("“%(licence)s” isn't offered as a licence; expected one of %(known)s.")
            % {"licence": licence, "known": ", ".join(v for v in Licence.values if v)}
        )
    if visibility not in Visibility.values:
        raise Refused(
            _("“%(visibility)s” isn't a visibility; expected one of %(known)s.")
            % {"visibility": visibility, "known": ", ".join(Visibility.values)}
        )
    words = list(dict.fromkeys(" ".join(str(tag).split())[:40] for tag in tags))
    return {
        "name": name,
        "description": description.strip(),
        "licence": licence,
        "tags": [word for word in words if word][:MOST_TAGS],
        "visibility": visibility,
    }

"""Takes over what a validation suggests to say on a card."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from labs.exceptions import Refused
from potentials.models import Potential
from potentials.services.potentials import check_editable, potential_update
from potentials.suggestions import suggestions_of
from potentials.validation_reports import report_of


@transaction.atomic
def suggestion_accept(*, potential: Potential, actor: Any, key: str) -> Potential:
    """Take a suggestion of the newest report over into "not to be used for".

    Raises:
        PermissionDenied: the person may not change the potential.
        Refused: the report doesn't suggest it, or the card says it already.
    """
    check_editable(potential, actor)
    report = report_of(potential)
    offered = suggestions_of(report, potential.not_for) if report else []
    suggestion = next((each for each in offered if each.key == key), None)
    if suggestion is None:
        raise Refused(_("The last validation doesn't suggest that, or the card says it already."))
    return potential_update(
        potential=potential,
        actor=actor,
        name=potential.name,
        licence=potential.licence,
        description=potential.description,
        not_for=f"{potential.not_for}\n{suggestion.text}".strip(),
        visibility=potential.visibility,
    )

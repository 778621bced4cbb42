"""Which lab a call adds to."""

from __future__ import annotations

from django.utils.translation import gettext as _
from rest_framework.request import Request

from labs.exceptions import Refused
from labs.models import Lab


def lab_of(request: Request) -> Lab:
    """Return the lab named by ``lab`` in the body, else the one worked in, else the first.

    Raises:
        Refused: the person doesn't belong to it, or to none at all.
    """
    memberships = request.user.memberships.select_related("lab").order_by("lab__name")
    labs = [membership.lab for membership in memberships]
    wanted = str(request.data.get("lab", ""))
    if wanted:
        for lab in labs:
            if str(lab.public_id) == wanted:
                return lab
        raise Refused(_("You don't belong to lab %s.") % wanted[:40])
    active = getattr(request, "lab", None)
    if active is not None:
        return active
    if not labs:
        raise Refused(_("You belong to no lab, so there is nowhere to put this."))
    return labs[0]

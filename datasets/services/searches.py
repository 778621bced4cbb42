"""Searches are kept by name, and forgotten."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.http import QueryDict
from django.utils.translation import gettext as _

from datasets.catalog import catalog_query
from datasets.models import SavedSearch
from datasets.services.access import creation_check
from labs.exceptions import Refused
from labs.models import Lab, Visibility

_NOT_KEPT = ("page", "page_size", "csrfmiddlewaretoken")


def search_save(
    *, owner: Any, lab: Lab, name: str, query: str, visibility: str = Visibility.PRIVATE
) -> SavedSearch:
    """Keep a query of the frames' catalog under a name.

    Raises:
        PermissionDenied: the person may not add to the lab.
        Refused: no name, a name used before, or a query that can't be asked.
    """
    creation_check(owner, lab)
    name = " ".join(name.split())[:120]
    if not name:
        raise Refused(_("A saved search needs a name."))
    if visibility not in Visibility.values:
        raise Refused(_("“%s” isn't a visibility.") % visibility[:40])
    asked = QueryDict(query.lstrip("?"), mutable=True)
    for field in list(asked):
        values = [value for value in asked.getlist(field) if value]
        if field in _NOT_KEPT or not values:
            del asked[field]
        else:
            asked.setlist(field, values)
    catalog_query(owner, asked)
    text = asked.urlencode()
    if not text:
        raise Refused(_("There is no filter to save: choose some first."))
    if len(text) > 2000:
        raise Refused(_("The search is too long to be saved; choose fewer filters."))
    try:
        with transaction.atomic():
            return SavedSearch.objects.create(
                owner=owner, lab=lab, name=name, query=text, visibility=visibility
            )
    except IntegrityError as error:
        raise Refused(
            _("You have a saved search “%s” already; choose another name.") % name
        ) from error


@transaction.atomic
def search_delete(*, search: SavedSearch) -> None:
    """Forget a saved search; the frames stay as they are."""
    search.delete()

"""The endpoints of the OPTIMADE API: each parses the address, asks once and answers."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from datasets.optimade.answers import API_VERSION, answer, base_url
from datasets.optimade.definitions import definitions
from datasets.optimade.doors import endpoint
from datasets.optimade.errors import NotFound, WrongVersion
from datasets.optimade.listing import Listing, listing, resource, single
from datasets.optimade.properties import PROPERTIES
from datasets.optimade.query import (
    EVERYWHERE,
    ListingQuery,
    common_check,
    listing_query,
    parameters_check,
    response_fields,
)
from datasets.selectors import public_versions

EXAMPLES = (
    'elements HAS ALL "O","Si" AND nelements=2',
    'chemical_formula_reduced="O2Si" AND nsites<100',
    'elements:elements_ratios HAS "Li":>0.1',
    '_mlmd_functional="PBE" AND _mlmd_max_force<1',
)


@login_not_required
def front(request: HttpRequest) -> HttpResponse:
    """Explain to a person that this is an address for programs."""
    if not settings.MLMD_OPTIMADE:
        raise Http404
    versions = public_versions()
    structures = request.build_absolute_uri(reverse("datasets:optimade-structures"))
    context = {
        "base_url": base_url(request),
        "structures": structures,
        "examples": EXAMPLES,
        "datasets": len(versions),
        "frames": sum(version.frame_count for version in versions),
    }
    return render(request, "datasets/optimade.html", context)


@endpoint
def structures(request: HttpRequest) -> HttpResponse:
    query = listing_query(request.GET)
    found = listing(query)
    return answer(
        request,
        [resource(entry, query.fields) for entry in found.entries],
        returned=found.returned,
        available=found.available,
        more=found.more,
        links={"next": _next(request, query, found)},
        foreign=found.foreign,
    )


@endpoint
def structure(request: HttpRequest, identifier: str) -> HttpResponse:
    common_check(request.GET)
    fields, foreign = response_fields(request.GET)
    entry = single(identifier)
    data = None if entry is None else resource(entry, fields)
    return answer(request, data, returned=0 if entry is None else 1, foreign=foreign)


@endpoint
def info(request: HttpRequest) -> HttpResponse:
    parameters_check(request.GET, EVERYWHERE)
    base = base_url(request)
    attributes = {
        "api_version": API_VERSION,
        "available_api_versions": [{"url": f"{base}/v1/", "version": API_VERSION}],
        "formats": ["json"],
        "entry_types_by_format": {"json": ["structures"]},
        "available_endpoints": ["info", "links", "structures"],
        "is_index": False,
        # Each dataset has a licence of its own: `_mlmd_licence` of an entry.
        "license": {"href": request.build_absolute_uri(reverse("datasets:optimade"))},
    }
    return answer(request, {"id": "/", "type": "info", "attributes": attributes})


@endpoint
def info_structures(request: HttpRequest) -> HttpResponse:
    parameters_check(request.GET, EVERYWHERE)
    data = {
        "id": "structures",
        "type": "info",
        "description": "Frames of published datasets: structures with energies and forces",
        "formats": ["json"],
        "properties": definitions(),
        "output_fields_by_format": {"json": list(PROPERTIES)},
    }
    return answer(request, data)


@endpoint
def links(request: HttpRequest) -> HttpResponse:
    parameters_check(request.GET, EVERYWHERE)
    attributes = {
        "name": "MLMD portal",
        "description": "Labelled frames for training machine-learning potentials",
        "base_url": base_url(request),
        "homepage": request.build_absolute_uri("/"),
        "link_type": "root",
    }
    data = [{"id": "mlmd", "type": "links", "attributes": attributes}]
    return answer(request, data, returned=1, available=1, links={"next": None})


@endpoint
def versions(request: HttpRequest) -> HttpResponse:
    parameters_check(request.GET, EVERYWHERE)
    return HttpResponse("version\n1\n", content_type="text/csv; header=present")


@endpoint
def nothing(request: HttpRequest, rest: str) -> HttpResponse:
    """Answer for every other address below the base URL."""
    if rest[:1] == "v" and rest[1:2].isdigit():
        version = rest.split("/")[0]
        if version not in {"v1", "v1.2", "v1.2.0"}:
            raise WrongVersion(_("%s isn't served here; v1 is.") % version[:20])
    raise NotFound(
        _("There is no endpoint here; expected structures, info, info/structures or links.")
    )


def _next(request: HttpRequest, query: ListingQuery, found: Listing) -> str | None:
    """Return the address of the page that follows."""
    if not found.more or not found.entries:
        return None
    following: Any = request.GET.copy()
    if query.order or query.offset:
        following["page_offset"] = query.offset + query.limit
    else:
        # By the last entry, not by a number: pages far on cost what the first one costs.
        following["page_above"] = str(found.entries[-1].row.public_id)
    return f"{request.build_absolute_uri(request.path)}?{following.urlencode()}"

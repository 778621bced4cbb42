"""Pages of sets of structures."""

from __future__ import annotations

import json
from uuid import UUID

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.access import editable_or_403, may_edit, visible_or_404
from datasets.forms import SET_PREFIX, StructureSetForm
from datasets.models import StructureSet
from datasets.pages import page_of
from datasets.selectors import (
    datasets_visible_to,
    structure_sets_visible_to,
    structures_visible_to,
)
from datasets.services import (
    structure_set_delete,
    structure_set_from_crystal,
    structure_set_from_dataset,
    structure_set_update,
)
from datasets.services.access import creation_check
from datasets.views.answers import next_url, posted, says_refusals
from labs.exceptions import Refused
from labs.selectors import may_create
from labs.settings_forms import settings_values
from mlmd.errors import MlmdError
from mlmd.structure.initial_set import InitialSetSettings


@require_http_methods(["GET", "POST"])
def structure_set_new(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Make a first training set from a crystal."""
    parent = visible_or_404(structures_visible_to(request.user), public_id)
    if request.method == "POST":
        creation_check(request.user, request.lab)
    form = StructureSetForm(posted(request))
    if request.method == "POST" and form.is_valid():
        values = settings_values(InitialSetSettings, form.cleaned_data, SET_PREFIX)
        try:
            made = structure_set_from_crystal(
                owner=request.user,
                lab=request.lab,
                parent=parent,
                settings=InitialSetSettings.from_json(values),
                name=form.cleaned_data["name"],
                visibility=form.cleaned_data["visibility"],
            )
        except (Refused, MlmdError) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("%d structures were made.") % made.size)
            return redirect(made)
    body = json.dumps({"structure": str(parent.public_id), "settings": {"rattles": 80}})
    context = {
        "form": form,
        "parent": parent,
        "api_body": body,
        "may_create": may_create(request.user, request.lab),
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "datasets/structure_set_new.html", context, status=status)


@require_POST
@says_refusals(lambda public_id: reverse("datasets:detail", args=[public_id]))
def structure_set_of_frames(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Make a set of the frames of a dataset, to compute them at another level of theory."""
    dataset = visible_or_404(datasets_visible_to(request.user), public_id)
    creation_check(request.user, request.lab)
    made = structure_set_from_dataset(owner=request.user, lab=request.lab, dataset=dataset)
    messages.success(request, _("%d structures were made.") % made.size)
    return redirect(made)


@require_GET
def structure_set_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    made = visible_or_404(structure_sets_visible_to(request.user), public_id)
    members = structures_visible_to(request.user).filter(member_of=made)
    kinds = members.order_by("recipe__kind").values_list("recipe__kind").annotate(n=Count("pk"))
    chosen = request.GET.get("kind", "")
    rows = members.filter(recipe__kind=chosen) if chosen else members
    context = {
        "set": made,
        "page_obj": page_of(request, rows.order_by("pk")),
        "kinds": [(kind or _("without a kind"), kind or "", count) for kind, count in kinds],
        "chosen": chosen,
        "parent": structures_visible_to(request.user).filter(pk=made.parent_id).first(),
        "settings_json": json.dumps(made.recipe.get("settings", made.recipe), indent=1),
        "may_create": may_create(request.user, request.lab),
        "may_edit": may_edit(made, request.user),
    }
    return render(request, "datasets/structure_set.html", context)


@require_POST
@says_refusals(lambda public_id: reverse("datasets:structure-set", args=[public_id]))
def structure_set_visibility(request: HttpRequest, public_id: UUID) -> HttpResponse:
    made = editable_or_403(StructureSet, request.user, public_id)
    visibility = request.POST.get("visibility", "")
    structure_set_update(
        structure_set=made, actor=request.user, name=made.name, visibility=visibility
    )
    return redirect(next_url(request, made.get_absolute_url()))


@require_POST
@says_refusals(lambda public_id: reverse("datasets:structure-set", args=[public_id]))
def structure_set_remove(request: HttpRequest, public_id: UUID) -> HttpResponse:
    made = editable_or_403(StructureSet, request.user, public_id)
    structure_set_delete(structure_set=made, actor=request.user)
    messages.success(request, _("“%s” was deleted.") % made)
    return redirect("datasets:structures")

"""Pages of datasets and their versions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.access import editable_or_403, may_edit, visible_or_404
from datasets.catalog import frame_order
from datasets.citation import CITATION_FILES
from datasets.coverage import coverage_from_json, coverage_of
from datasets.credits import authors_from_json
from datasets.downloads import ROW_FILES, rows_response
from datasets.filters import FrameFilters
from datasets.forms import DatasetFilterForm, DatasetForm, DataUploadForm, SplitForm
from datasets.history import dataset_history, withdrawn_by
from datasets.models import Dataset, DatasetSurvey, DatasetVersion, Frame
from datasets.optimade.links import entries_url
from datasets.pages import ordered, page_of
from datasets.periodic import periodic_table
from datasets.search import by_elements, by_words
from datasets.selectors import datasets_visible_to, sources_of
from datasets.services import (
    bundled_silicon_dataset,
    dataset_create,
    dataset_delete,
    dataset_publish,
    dataset_update,
    dataset_withdraw,
    version_withdraw,
)
from datasets.services.access import creation_check
from datasets.snapshots import CatalogRows, DatasetOfRows
from datasets.splits import Part, SplitRequest, StatedSplit
from datasets.statistics import overview
from datasets.version_files import files_of, settled, version_response
from datasets.views.answers import posted, says_refusals
from labs.exceptions import Refused
from labs.selectors import may_create

ORDER = {"name": "name", "frames": "frame_count", "changed": "modified_at"}
FRAMES_SHOWN = 10
EVENTS_SHOWN = 5


@require_GET
def dataset_list(request: HttpRequest) -> HttpResponse:
    published = DatasetVersion.objects.published().filter(dataset=OuterRef("pk"))
    rows = datasets_visible_to(request.user).annotate(is_published=Exists(published))
    nothing_yet = not request.GET and not rows.exists()
    form = DatasetFilterForm(request.GET or None)
    if form.is_valid():
        values = form.cleaned_data
        try:
            rows = by_words(rows, values["q"], "name", "description", "tags")
            rows = by_elements(rows, values["elements"], values["mode"])
        except Refused as error:
            form.add_error("elements", str(error))
            rows = rows.none()
        if values["visibility"]:
            rows = rows.filter(visibility=values["visibility"])
        if values["state"]:
            rows = rows.filter(is_published=values["state"] == "published")
    rows = rows.prefetch_related("versions")
    context = {
        "form": form,
        "page_obj": page_of(request, ordered(rows, request.GET.get("sort"), ORDER, "-changed")),
        "nothing_yet": nothing_yet,
        "may_create": may_create(request.user, request.lab),
    }
    return render(request, "datasets/datasets.html", context)


@require_http_methods(["GET", "POST"])
def dataset_new(request: HttpRequest) -> HttpResponse:
    """Make an empty dataset; files can be sent at once on the upload page instead."""
    if request.method == "POST":
        creation_check(request.user, request.lab)
    form = DatasetForm(posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            made = dataset_create(owner=request.user, lab=request.lab, **form.values())
        except Refused as error:
            form.add_error(None, str(error))
        else:
            return redirect(made)
    context = {"form": form, "may_create": may_create(request.user, request.lab)}
    status = 422 if form.errors else 200
    return render(request, "datasets/dataset_edit.html", context, status=status)


@require_http_methods(["GET", "POST"])
def dataset_edit(request: HttpRequest, public_id: UUID) -> HttpResponse:
    dataset = editable_or_403(Dataset, request.user, public_id)
    form = DatasetForm(posted(request), instance=dataset)
    if request.method == "POST" and form.is_valid():
        fresh = Dataset.objects.get(pk=dataset.pk)
        try:
            dataset_update(dataset=fresh, actor=request.user, **form.values())
        except Refused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("“%s” was saved.") % form.cleaned_data["name"])
            return redirect(fresh)
    context = {"form": form, "dataset": dataset, "may_create": True}
    status = 422 if form.errors else 200
    return render(request, "datasets/dataset_edit.html", context, status=status)


@require_GET
def dataset_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    dataset = visible_or_404(datasets_visible_to(request.user), public_id)
    versions = list(dataset.versions.select_related("published_by"))
    chosen = chosen_version(versions, request.GET.get("version"))
    if dataset.withdrawn_at or (chosen is not None and chosen.withdrawn_at):
        return _tombstone(request, dataset, versions, chosen)
    rows = dataset_rows(dataset, chosen, request.GET.get("sort"))
    editable = may_edit(dataset, request.user)
    query = f"dataset={dataset.public_id}" + (f"&version={chosen.number}" if chosen else "")
    found = overview(rows)
    reading = dataset.uploads.filter(state__in=("waiting", "parsing")).exists()
    context = {
        "dataset": dataset,
        "versions": versions,
        "chosen": chosen,
        "draft": next((v for v in versions if v.is_draft), None),
        "latest": next((v for v in versions if not v.is_draft and not v.withdrawn_at), None),
        "frame_count": found.count,
        "extremes": found.extremes,
        "levels": found.levels,
        "mixed": len(found.levels) > 1,
        "kinds": found.kinds,
        "compositions": found.compositions,
        "frames": rows[:FRAMES_SHOWN],
        **_elements(dataset, chosen, dataset_frames(dataset, chosen)),
        "uploads": dataset.uploads.select_related("owner")[:50],
        "reading": reading,
        # The refresh that finds everything read also brings the buttons and the rail up to date.
        "finished_now": not reading and "HX-Request" in request.headers,
        "upload_form": DataUploadForm(),
        "downloads": downloads_of(dataset, chosen),
        "query": query,
        "drop_fields": [("dataset", dataset.public_id)],
        "may_edit": editable and not dataset.withdrawn_at,
        "most_bytes": settings.MLMD_MAX_UPLOAD_BYTES,
        "authors": authors_from_json(dataset.authors),
        "sources": sources_of(request.user, dataset),
        "entries_url": entries_url(dataset),
        "events": dataset_history(request.user, dataset)[:EVENTS_SHOWN],
        **_citable(versions, chosen),
    }
    return render(request, "datasets/dataset.html", context)


def _elements(dataset: Dataset, chosen: DatasetVersion | None, frames: Any) -> dict[str, Any]:
    """Return the elements of the frames shown, from the survey where it is of them."""
    survey = DatasetSurvey.objects.filter(dataset=dataset).first()
    surveyed = chosen is None and survey is not None and survey.mark == dataset.frames_mark
    covered = coverage_from_json(survey.coverage) if survey and surveyed else coverage_of(frames)
    squares = periodic_table(covered)
    ranked = sorted((s for s in squares if s.coverage), key=lambda s: -s.coverage.frames)  # type: ignore[union-attr]
    return {"squares": squares, "covered": ranked}


def _citable(versions: list[DatasetVersion], chosen: DatasetVersion | None) -> dict[str, Any]:
    """Return what is said of the version that a reader would cite."""
    published = [version for version in versions if not version.is_draft]
    usable = [version for version in published if not version.withdrawn_at]
    cited = chosen if chosen in published else next(iter(usable or published), None)
    split = StatedSplit.from_json(cited.split) if cited else None
    return {
        "cited": cited,
        "citation_files": [(key, kind.label) for key, kind in CITATION_FILES.items()],
        "split": split,
        "split_default": _split_default(published),
        "split_parts": [(part, split.counts.get(part, 0)) for part in Part] if split else [],
    }


def _split_default(published: list[DatasetVersion]) -> dict[str, str]:
    """Return what the form of publication starts with: as the last split, in percent."""
    stated = (StatedSplit.from_json(version.split) for version in published)
    last = next((split.request for split in stated if split), SplitRequest())
    return {
        "validation": f"{100 * last.validation:g}",
        "test": f"{100 * last.test:g}",
        "seed": str(last.seed),
    }


def _tombstone(
    request: HttpRequest,
    dataset: Dataset,
    versions: list[DatasetVersion],
    chosen: DatasetVersion | None,
) -> HttpResponse:
    """Show what is left of a withdrawn dataset or version: what it was, and why it went."""
    gone = dataset if dataset.withdrawn_at else chosen
    context = {
        "dataset": dataset,
        "gone": gone,
        "chosen": chosen,
        "versions": versions,
        "withdrawn_by": withdrawn_by(dataset, chosen),
        "events": dataset_history(request.user, dataset)[:EVENTS_SHOWN],
        "latest": None
        if dataset.withdrawn_at
        else next((v for v in versions if not v.is_draft and not v.withdrawn_at), None),
        "may_edit": not dataset.withdrawn_at and may_edit(dataset, request.user),
        "downloads": downloads_of(dataset, chosen),
        **_citable(versions, chosen),
    }
    return render(request, "datasets/tombstone.html", context)


def dataset_rows(
    dataset: Dataset, version: DatasetVersion | None, sort: str | None = None
) -> CatalogRows:
    """Return the frames of a version, or the current ones, to count and to show."""
    return CatalogRows(
        [DatasetOfRows(dataset.pk, dataset.frames_mark, {})],
        FrameFilters(),
        version=None if version is None else version.number,
        sort=frame_order(sort),
    )


def dataset_frames(dataset: Dataset, version: DatasetVersion | None) -> Any:
    """Return the frames of a version, or the current ones."""
    if version is not None:
        return Frame.objects.in_version(version)
    return Frame.objects.filter(dataset=dataset).current()


def chosen_version(versions: list[DatasetVersion], text: str | None) -> DatasetVersion | None:
    if not text:
        return None
    for version in versions:
        if str(version.number) == text:
            return version
    raise Http404(_("This dataset has no such version."))


def downloads_of(dataset: Dataset, version: DatasetVersion | None) -> list[dict[str, Any]]:
    suffix = f"?version={version.number}" if version else ""
    files = files_of(version or settled(list(dataset.versions.all())))
    return [
        {
            "label": kind.label,
            "url": reverse("datasets:download", args=[dataset.public_id, key]) + suffix,
            "size": files[key].size if key in files else None,
            "sha256": files[key].sha256 if key in files else "",
            "note": kind.note,
        }
        for key, kind in ROW_FILES.items()
    ]


def _page(public_id: UUID, **_others: Any) -> str:
    return reverse("datasets:detail", args=[public_id])


@require_GET
@says_refusals(_page)
def dataset_download(request: HttpRequest, public_id: UUID, file_format: str) -> HttpResponseBase:
    """Send all frames of a version, or the current ones, however many there are."""
    dataset = visible_or_404(datasets_visible_to(request.user), public_id)
    versions = list(dataset.versions.all())
    version = chosen_version(versions, request.GET.get("version")) or settled(versions)
    energy = request.GET.get("energy", "free")
    if version is not None:
        return version_response(request, version, file_format, energy=energy)
    rows = dataset_frames(dataset, None)
    return rows_response(rows, file_format, dataset.name, energy=energy)


@require_POST
@says_refusals(_page)
def dataset_publication(request: HttpRequest, public_id: UUID) -> HttpResponse:
    dataset = editable_or_403(Dataset, request.user, public_id)
    version = dataset_publish(
        dataset=dataset,
        actor=request.user,
        notes=request.POST.get("notes", ""),
        split=SplitForm(request.POST).request(),
    )
    messages.success(
        request,
        _("Version %(number)d is published: %(frames)d frames that will never change.")
        % {"number": version.number, "frames": version.frame_count},
    )
    return redirect(dataset)


@require_POST
@says_refusals(_page)
def dataset_visibility(request: HttpRequest, public_id: UUID) -> HttpResponse:
    dataset = editable_or_403(Dataset, request.user, public_id)
    dataset_update(
        dataset=dataset,
        actor=request.user,
        name=dataset.name,
        description=dataset.description,
        licence=dataset.licence,
        tags=dataset.tags,
        visibility=request.POST.get("visibility", ""),
    )
    messages.success(request, _("The visibility was changed."))
    return redirect(dataset)


@require_POST
@says_refusals(_page)
def dataset_withdrawal(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Withdraw one version, or the whole dataset when none is named."""
    dataset = editable_or_403(Dataset, request.user, public_id)
    reason = request.POST.get("reason", "")
    if request.POST.get("version"):
        version = chosen_version(list(dataset.versions.all()), request.POST["version"])
        if version is not None:
            version_withdraw(version=version, actor=request.user, reason=reason)
    else:
        dataset_withdraw(dataset=dataset, actor=request.user, reason=reason)
    messages.success(request, _("Withdrawn. The page stays, with the reason."))
    return redirect(dataset)


@require_POST
@says_refusals(_page)
def dataset_remove(request: HttpRequest, public_id: UUID) -> HttpResponse:
    dataset = editable_or_403(Dataset, request.user, public_id)
    dataset_delete(dataset=dataset, actor=request.user)
    messages.success(request, _("“%s” was deleted.") % dataset.name)
    return redirect("datasets:list")


@require_POST
@says_refusals(lambda: reverse("datasets:list"))
def silicon_example(request: HttpRequest) -> HttpResponse:
    """Add the bundled silicon data to the lab."""
    creation_check(request.user, request.lab)
    return redirect(bundled_silicon_dataset(owner=request.user, lab=request.lab))

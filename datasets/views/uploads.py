"""Files come in; each has a page that says what became of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.access import editable_or_403, may_edit, visible_or_404
from datasets.downloads import original_response
from datasets.files import original_path
from datasets.forms import NewDataForm
from datasets.models import Dataset, Upload, UploadTarget
from datasets.selectors import uploads_visible_to
from datasets.services import (
    dataset_create,
    upload_cancel,
    upload_create,
    upload_delete,
    upload_retry,
)
from datasets.services.access import creation_check
from datasets.services.uploads import size_check
from datasets.views.answers import next_url, posted, says_refusals, wants_json
from labs.exceptions import Refused
from labs.models import Visibility
from labs.selectors import may_create
from mlmd.formats.source import safe_name

_FORM_OVERHEAD = 1 << 20  # bytes of a request beside its files


def too_large(request: HttpRequest) -> str:
    """Say that the request is larger than the site takes, before any of it is read."""
    text = request.META.get("CONTENT_LENGTH") or "0"
    size = int(text) if text.isdigit() else 0
    try:
        size_check(size if size > settings.MLMD_MAX_UPLOAD_BYTES + _FORM_OVERHEAD else 0)
    except Refused as error:
        return str(error)
    return ""


def _receives_files(view: Any) -> Any:
    """Refuse too large a request unread; the CSRF check, which reads it, comes after."""
    protected = csrf_protect(view)

    def receive(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        problem = too_large(request)
        if not problem:
            return protected(request, **kwargs)
        if wants_json(request):
            return JsonResponse({"detail": problem}, status=413)
        return render(request, "datasets/too_large.html", {"problem": problem}, status=413)

    return csrf_exempt(receive)


@_receives_files
@require_http_methods(["GET", "POST"])
@says_refusals(lambda: reverse("datasets:upload"))
def data_upload(request: HttpRequest) -> HttpResponseBase:
    """Take files of teacher data into a new dataset or one that exists."""
    datasets = Dataset.objects.editable_by(request.user).filter(withdrawn_at=None)
    initial = {"dataset": request.GET.get("dataset"), "visibility": Visibility.LAB}
    form = NewDataForm(posted(request), datasets=datasets, initial=initial)
    if request.method == "POST":
        creation_check(request.user, request.lab)
        files = request.FILES.getlist("file")
        if not files:
            form.add_error(None, _("No file was chosen."))
        if form.is_valid():
            return _receive_data(request, form.cleaned_data, files)
        if wants_json(request):
            problems = [text for texts in form.errors.values() for text in texts]
            return JsonResponse({"detail": " ".join(problems)}, status=400)
    context = {
        "form": form,
        "may_create": may_create(request.user, request.lab),
        "most_bytes": settings.MLMD_MAX_UPLOAD_BYTES,
    }
    return render(request, "datasets/upload_new.html", context, status=422 if form.errors else 200)


def _receive_data(request: HttpRequest, values: dict[str, Any], files: list[Any]) -> HttpResponse:
    dataset = values["dataset"]
    for file in files:
        size_check(file.size)
    if dataset is None:
        dataset = dataset_create(
            owner=request.user,
            lab=request.lab,
            name=values["name"] or safe_name(files[0].name or ""),
            licence=values["licence"],
            visibility=values["visibility"] or Visibility.LAB,
        )
    uploads = [
        upload_create(
            owner=request.user,
            lab=dataset.lab,
            file=file,
            target=UploadTarget.FRAMES,
            dataset=dataset,
            format=values["format"],
            kind=values["kind"],
            length_unit=values["length_unit"],
            energy_unit=values["energy_unit"],
        )
        for file in files
    ]
    return _received(request, uploads, dataset.get_absolute_url(), str(dataset.public_id))


@_receives_files
@require_POST
@says_refusals(lambda: reverse("datasets:structures"))
def structure_upload(request: HttpRequest) -> HttpResponseBase:
    """Take structure files."""
    creation_check(request.user, request.lab)
    files = request.FILES.getlist("file")
    if not files:
        raise Refused(_("No file was chosen."))
    uploads = [
        upload_create(
            owner=request.user,
            lab=request.lab,
            file=file,
            target=UploadTarget.STRUCTURES,
            visibility=request.POST.get("visibility") or Visibility.LAB,
        )
        for file in files
    ]
    url = uploads[0].get_absolute_url() if len(uploads) == 1 else reverse("datasets:structures")
    return _received(request, uploads, url)


def _received(
    request: HttpRequest, uploads: list[Upload], url: str, dataset: str = ""
) -> HttpResponse:
    if wants_json(request):
        rows = [
            {"name": u.name, "url": u.get_absolute_url(), "state": u.state, "sha256": u.sha256}
            for u in uploads
        ]
        return JsonResponse({"uploads": rows, "next": url, "dataset": dataset}, status=201)
    count = len(uploads)
    text = ngettext(
        "%d file has arrived and is being read.", "%d files have arrived and are being read.", count
    )
    messages.success(request, text % count)
    return redirect(url)


@require_GET
def upload_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    upload = visible_or_404(uploads_visible_to(request.user), public_id)
    context = {
        "upload": upload,
        "may_edit": may_edit(upload, request.user),
        "structures": upload.structures.visible_to(request.user).defer("content"),
        "has_original": original_path(upload.public_id).exists(),
    }
    return render(request, "datasets/upload.html", context)


@require_GET
def upload_original(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    upload = visible_or_404(uploads_visible_to(request.user), public_id)
    path = original_path(upload.public_id)
    if not path.exists():
        raise Http404(_("The original isn't kept any more."))
    return original_response(str(path), upload.name)


def _upload_page(public_id: UUID) -> str:
    return reverse("datasets:upload-detail", args=[public_id])


@require_POST
@says_refusals(_upload_page)
def upload_stop(request: HttpRequest, public_id: UUID) -> HttpResponse:
    upload = editable_or_403(Upload, request.user, public_id)
    upload_cancel(upload=upload, actor=request.user)
    messages.success(request, _("Reading of “%s” was cancelled.") % upload)
    return redirect(next_url(request, upload.get_absolute_url()))


@require_POST
@says_refusals(_upload_page)
def upload_again(request: HttpRequest, public_id: UUID) -> HttpResponse:
    upload = editable_or_403(Upload, request.user, public_id)
    upload_retry(upload=upload, actor=request.user)
    messages.success(request, _("“%s” is being read again.") % upload)
    return redirect(next_url(request, upload.get_absolute_url()))


@require_POST
@says_refusals(_upload_page)
def upload_remove(request: HttpRequest, public_id: UUID) -> HttpResponse:
    upload = editable_or_403(Upload, request.user, public_id)
    home = upload.dataset.get_absolute_url() if upload.dataset else reverse("datasets:structures")
    upload_delete(upload=upload, actor=request.user)
    messages.success(request, _("“%s” was taken off the list.") % upload)
    return redirect(home)

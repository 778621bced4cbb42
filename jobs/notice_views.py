"""Pages of notices: what ended lately, and how a person wants to be told."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from jobs.kinds import title_of
from jobs.models import NoticeSettings
from jobs.notice_forms import NoticeSettingsForm
from jobs.notices import notice_settings_set, notices_mark_read
from jobs.selectors import notices_of
from labs.middleware import LabRequest

PAGE_SIZE = 50


@never_cache
@require_GET
def notice_list(request: HttpRequest) -> HttpResponse:
    """List the person's notices, all or only those not yet read."""
    notices = notices_of(request.user)
    only_new = request.GET.get("new") == "1"
    page = Paginator(notices.filter(read_at=None) if only_new else notices, PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    context = {
        "page_obj": page,
        "only_new": only_new,
        "rows": [(notice, title_of(notice.job.kind)) for notice in page],
        "has_any": bool(page.object_list) or notices.exists(),
    }
    return render(request, "jobs/notices.html", context)


@require_POST
def mark_read(request: HttpRequest) -> HttpResponse:
    """Mark the named notices as read, or all of them when none is named."""
    named = [word for word in request.POST.getlist("notice") if _is_uuid(word)]
    notices_mark_read(user=request.user, public_ids=named or None)
    return redirect("jobs:notices")


@never_cache
@require_http_methods(["GET", "POST"])
def notice_settings(request: LabRequest) -> HttpResponse:
    """Say how the person wants to be told, by kind of run and outcome."""
    row = NoticeSettings.objects.filter(user=request.user).first()
    form = NoticeSettingsForm(request.POST or None, settings=row)
    if request.method == "POST" and form.is_valid():
        notice_settings_set(
            user=request.user,
            ways=form.ways(),
            mail_after_s=int(60 * form.cleaned_data["mail_after"]),
        )
        messages.success(request, _("You will be told as you chose."))
        return redirect("jobs:notice-settings")
    return render(request, "jobs/notice_settings.html", {"form": form, "table": form.table()})


def _is_uuid(word: str) -> bool:
    try:
        UUID(word)
    except ValueError:
        return False
    return True

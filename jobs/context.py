"""What every page shows about runs."""

from __future__ import annotations

from django.http import HttpRequest

from jobs.selectors import running_count, unread_count


def running_jobs(request: HttpRequest) -> dict[str, object]:
    """Give templates `running_jobs`: how many of the person's runs are on their way."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    return {"running_jobs": running_count(user)}


def unread_notices(request: HttpRequest) -> dict[str, object]:
    """Give templates `unread_notices`: how many the person hasn't looked at; 100 stands for more."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    return {"unread_notices": unread_count(user)}

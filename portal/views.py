"""The home page and the error pages."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def home(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/home.html")


def search(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/home.html")


def api_docs(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/home.html")


@login_not_required
def health(request: HttpRequest) -> HttpResponse:
    """Answer 200 as long as the process serves; the database isn't asked."""
    return HttpResponse("ok", content_type="text/plain")

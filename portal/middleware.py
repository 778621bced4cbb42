"""What every request passes through, and no room below can answer by itself."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from datasets.store import StoreUnavailable
from portal.errors import documents_away


class DocumentsAwayMiddleware:
    """Answer 503 in words where a page needs a document and the store can't be reached."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return documents_away(request) if isinstance(error, StoreUnavailable) else None

"""Pages of lists, in the API and in the browser."""

from functools import cached_property

from django.core.paginator import Paginator
from rest_framework.pagination import PageNumberPagination


class Pages(PageNumberPagination):
    """``?page=2&page_size=100``, at most 1000 rows a page."""

    page_size_query_param = "page_size"
    max_page_size = 1000


MOST_COUNTED = 10_000


class CappedPaginator(Paginator):
    """Counts only so far: a page needs to know that there is more, not how much more."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[:MOST_COUNTED].count()

    @property
    def is_capped(self) -> bool:
        return self.count >= MOST_COUNTED

"""Saved searches over HTTP."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.access import editable_or_403
from datasets.api.labs import lab_of
from datasets.models import SavedSearch
from datasets.selectors import searches_visible_to
from datasets.services import search_delete, search_save


class SavedSearchSerializer(serializers.ModelSerializer):
    """A name for a query of the frames' catalog."""

    owner = serializers.CharField(source="owner.name", read_only=True)

    class Meta:
        model = SavedSearch
        fields = ["public_id", "name", "query", "visibility", "owner", "created_at"]
        read_only_fields = ["public_id", "created_at"]


@extend_schema_view(
    list=extend_schema(summary="List saved searches"),
    retrieve=extend_schema(summary="Show a saved search"),
)
@extend_schema(tags=["saved-searches"])
class SavedSearchViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Queries of `/frames/` with a name."""

    queryset = SavedSearch.objects.none()
    serializer_class = SavedSearchSerializer
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    ordering_fields = ["name", "created_at"]

    def get_queryset(self) -> Any:
        return searches_visible_to(self.request.user)

    @extend_schema(
        summary="Save a search",
        examples=[
            OpenApiExample("Silica", value={"name": "Silica", "query": "elements=Si&elements=O"})
        ],
    )
    def create(self, request: Request) -> Response:
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = search_save(owner=request.user, lab=lab_of(request), **asked.validated_data)
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(summary="Delete a saved search")
    def destroy(self, request: Request, public_id: Any = None) -> Response:
        search = editable_or_403(SavedSearch, request.user, public_id)
        search_delete(search=search)
        return Response(status=status.HTTP_204_NO_CONTENT)

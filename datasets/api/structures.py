"""Structures over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.access import editable_or_403, visible_or_404
from datasets.api.labs import lab_of
from datasets.api.serializers import StructureBuildSerializer, StructureSerializer
from datasets.downloads import STRUCTURE_FILES, structure_response
from datasets.models import Structure
from datasets.search import by_elements, by_words
from datasets.selectors import structures_visible_to
from datasets.services import structure_build, structure_delete, structure_update
from datasets.services.structures import structure_atoms
from datasets.viewer import viewer_payload

_WORDS = OpenApiParameter("q", str, description="Words in name or formula.")
_ELEMENTS = OpenApiParameter("elements", str, description="Chemical symbols, for example `Si O`.")
_MODE = OpenApiParameter("mode", str, enum=["all", "any", "only"], description="Of the elements.")


@extend_schema_view(
    list=extend_schema(summary="List structures", parameters=[_WORDS, _ELEMENTS, _MODE]),
    retrieve=extend_schema(summary="Show a structure with its report"),
    partial_update=extend_schema(summary="Change name, notes or visibility"),
    destroy=extend_schema(summary="Delete a structure that no run used"),
)
@extend_schema(tags=["structures"])
class StructureViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet,
):
    """Atoms without labels: upload them under `uploads`, or build them here."""

    queryset = Structure.objects.none()
    serializer_class = StructureSerializer
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    ordering_fields = ["name", "formula", "n_atoms", "density", "created_at"]

    def get_queryset(self) -> Any:
        rows = structures_visible_to(self.request.user)
        query = self.request.query_params
        rows = by_words(rows, query.get("q", ""), "name", "formula")
        return by_elements(rows, query.get("elements", ""), query.get("mode", "all"))

    def get_serializer_context(self) -> dict[str, Any]:
        context = super().get_serializer_context()
        if self.request and self.request.user.is_authenticated:
            context["visible_parents"] = _Parents(self.request.user)
        return context

    @extend_schema(
        summary="Build a structure",
        request=StructureBuildSerializer,
        responses={201: StructureSerializer},
        examples=[
            OpenApiExample("Silicon", value={"builder": "bulk", "values": {"elements": "Si"}}),
        ],
    )
    def create(self, request: Request) -> Response:
        asked = StructureBuildSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        parent = None
        if "parent" in values:
            parent = visible_or_404(Structure.objects.visible_to(request.user), values["parent"])
        made = structure_build(
            owner=request.user,
            lab=lab_of(request),
            builder=values["builder"],
            values=values["values"],
            parent=parent,
            name=values["name"],
            visibility=values["visibility"],
        )
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, public_id: Any = None) -> Response:
        structure = editable_or_403(Structure, request.user, public_id)
        asked = self.get_serializer(structure, data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        fields = {f: getattr(structure, f) for f in ("name", "notes", "visibility")}
        structure_update(structure=structure, actor=request.user, **(fields | asked.validated_data))
        return Response(self.get_serializer(structure).data)

    def destroy(self, request: Request, public_id: Any = None) -> Response:
        structure = editable_or_403(Structure, request.user, public_id)
        structure_delete(structure=structure, actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Download a structure",
        parameters=[
            OpenApiParameter("file_format", str, OpenApiParameter.PATH, enum=list(STRUCTURE_FILES))
        ],
        responses={(200, "text/plain"): OpenApiTypes.BINARY},
    )
    @action(detail=True, url_path="download/<str:file_format>")
    def download(
        self, request: Request, public_id: Any = None, file_format: str = ""
    ) -> HttpResponseBase:
        structure = visible_or_404(Structure.objects.visible_to(request.user), public_id)
        return structure_response(structure_atoms(structure), file_format, structure.name)

    @extend_schema(summary="Atoms as the 3D view draws them", responses={200: OpenApiTypes.OBJECT})
    @action(detail=True)
    def viewer(self, request: Request, public_id: Any = None) -> Response:
        structure = visible_or_404(Structure.objects.visible_to(request.user), public_id)
        return Response(viewer_payload(structure_atoms(structure), title=structure.name))


class _Parents:
    """Looks up the public id of a parent that the person may see."""

    def __init__(self, user: Any) -> None:
        self._user = user
        self._known: dict[int, str | None] = {}

    def get(self, pk: int | None) -> str | None:
        if pk is None:
            return None
        if pk not in self._known:
            rows = Structure.objects.visible_to(self._user).filter(pk=pk)
            found = rows.values_list("public_id", flat=True).first()
            self._known[pk] = str(found) if found else None
        return self._known[pk]

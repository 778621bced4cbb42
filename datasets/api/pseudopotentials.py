"""A lab's pseudopotentials over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, Http404, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.access import editable_or_403, visible_or_404
from datasets.api.labs import lab_of
from datasets.models import PseudoFamily, PseudoFile
from datasets.services.pseudopotentials import (
    pseudo_family_create,
    pseudo_family_delete,
    pseudo_file_add,
    pseudo_path,
)
from labs.models import Visibility


class PseudoFileSerializer(serializers.ModelSerializer):
    class Meta:
        model = PseudoFile
        fields = [
            *("element", "name", "kind", "functional", "relativistic", "valence"),
            *("cutoff", "density_cutoff", "size", "sha256"),
        ]


class PseudoFamilySerializer(serializers.ModelSerializer):
    """A family; cutoffs are suggestions of the files, in Ry."""

    lab = serializers.UUIDField(source="lab.public_id", read_only=True)
    owner = serializers.CharField(source="owner.name", read_only=True)
    files = PseudoFileSerializer(many=True, read_only=True)

    class Meta:
        model = PseudoFamily
        fields = [
            *("public_id", "name", "licence", "source", "functional", "visibility"),
            *("owner", "lab", "files", "created_at"),
        ]


class PseudoFamilyCreateSerializer(serializers.Serializer):
    name = serializers.CharField(max_length=120)
    licence = serializers.CharField(default="", allow_blank=True, max_length=120)
    source = serializers.CharField(default="", allow_blank=True, max_length=400)
    visibility = serializers.ChoiceField(Visibility.choices, default=Visibility.LAB)
    lab = serializers.CharField(required=False)


class PseudoUploadSerializer(serializers.Serializer):
    file = serializers.FileField(help_text="A UPF file.")


@extend_schema_view(
    list=extend_schema(summary="List families of pseudopotentials"),
    retrieve=extend_schema(summary="Show a family with its files"),
    destroy=extend_schema(summary="Delete a family"),
)
@extend_schema(tags=["dft"])
class PseudoFamilyViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet,
):
    """Pseudopotentials that belong together: one functional, at most one file an element."""

    queryset = PseudoFamily.objects.none()
    serializer_class = PseudoFamilySerializer
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    ordering_fields = ["name", "created_at"]
    parser_classes = [JSONParser, MultiPartParser, FormParser]

    def get_queryset(self) -> Any:
        rows = PseudoFamily.objects.visible_to(self.request.user)
        return rows.select_related("owner", "lab").prefetch_related("files")

    @extend_schema(
        summary="Make an empty family",
        request=PseudoFamilyCreateSerializer,
        responses={201: PseudoFamilySerializer},
    )
    def create(self, request: Request) -> Response:
        asked = PseudoFamilyCreateSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = dict(asked.validated_data)
        values.pop("lab", None)
        family = pseudo_family_create(owner=request.user, lab=lab_of(request), **values)
        return Response(self.get_serializer(family).data, status=status.HTTP_201_CREATED)

    def destroy(self, request: Request, public_id: Any = None) -> Response:
        family = editable_or_403(PseudoFamily, request.user, public_id)
        pseudo_family_delete(family=family, actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Add a UPF file to a family",
        request={"multipart/form-data": PseudoUploadSerializer},
        responses={201: PseudoFileSerializer},
    )
    @action(detail=True, methods=["post"])
    def files(self, request: Request, public_id: Any = None) -> Response:
        family = editable_or_403(PseudoFamily, request.user, public_id)
        asked = PseudoUploadSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        file = asked.validated_data["file"]
        added = pseudo_file_add(
            family=family, actor=request.user, name=file.name, chunks=file.chunks()
        )
        return Response(PseudoFileSerializer(added).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Download the file of an element",
        parameters=[OpenApiParameter("element", str, OpenApiParameter.PATH)],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    @action(detail=True, url_path="files/<str:element>")
    def file(self, request: Request, public_id: Any = None, element: str = "") -> HttpResponseBase:
        family = visible_or_404(PseudoFamily.objects.visible_to(request.user), public_id)
        row = family.files.filter(element=element).first()
        if row is None:
            raise Http404("The family has no such element.")
        path = pseudo_path(row.sha256)
        return FileResponse(path.open("rb"), as_attachment=True, filename=row.name)

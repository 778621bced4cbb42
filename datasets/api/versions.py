"""Versions of datasets over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.access import editable_or_403, visible_or_404
from datasets.api.file_schema import ENERGY, FILE, FORMAT
from datasets.api.serializers import VersionFileSerializer, VersionSerializer, WithdrawSerializer
from datasets.citation import CITATION_FILES
from datasets.downloads import ROW_FILES
from datasets.models import Dataset, DatasetVersion
from datasets.selectors import versions_visible_to
from datasets.services import version_withdraw
from datasets.version_files import files_of, version_response
from datasets.views.versions import citation_response
from labs.exceptions import Refused


@extend_schema_view(
    list=extend_schema(
        summary="List versions",
        parameters=[OpenApiParameter("dataset", OpenApiTypes.UUID, description="Of one dataset.")],
    ),
    retrieve=extend_schema(summary="Show a version with its checksum and citation"),
)
@extend_schema(tags=["versions"])
class VersionViewSet(viewsets.ReadOnlyModelViewSet):
    """Numbered states of datasets; published ones never change."""

    queryset = DatasetVersion.objects.none()
    serializer_class = VersionSerializer
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    ordering_fields = ["published_at", "number", "frame_count"]

    def get_queryset(self) -> Any:
        rows = versions_visible_to(self.request.user).order_by("dataset_id", "-number")
        dataset = self.request.query_params.get("dataset")
        if dataset:
            rows = rows.filter(
                dataset=visible_or_404(
                    Dataset.objects.visible_to(self.request.user), _uuid(dataset)
                )
            )
        return rows

    @extend_schema(
        summary="Download all frames of a version",
        description="A published version's file can be resumed: it has an `ETag`, takes `Range` "
        "and `If-Range`, and says its SHA-256 in `Repr-Digest` once it is whole.",
        parameters=[FORMAT, ENERGY],
        responses=FILE,
    )
    @action(detail=True, url_path="download/<str:file_format>")
    def download(
        self, request: Request, public_id: Any = None, file_format: str = ""
    ) -> HttpResponseBase:
        version = visible_or_404(versions_visible_to(request.user), public_id)
        energy = request.query_params.get("energy", "free")
        return version_response(request, version, file_format, energy=energy)

    @extend_schema(
        summary="Files of a version, with size and SHA-256 where they are known",
        description="Both are known once a file has been downloaded by anybody.",
        responses={200: VersionFileSerializer(many=True)},
    )
    @action(detail=True, pagination_class=None)
    def files(self, request: Request, public_id: Any = None) -> Response:
        version = visible_or_404(versions_visible_to(request.user), public_id)
        known = files_of(version)
        rows = [
            {
                "format": key,
                "url": reverse("api:version-download", args=[version.public_id, key]),
                "size": known[key].size if key in known else None,
                "sha256": known[key].sha256 if key in known else "",
            }
            for key in ROW_FILES
        ]
        return Response(VersionFileSerializer(rows, many=True).data)

    @extend_schema(
        summary="How to cite a version",
        parameters=[
            OpenApiParameter("file_format", str, OpenApiParameter.PATH, enum=list(CITATION_FILES))
        ],
        responses={(200, "text/plain"): OpenApiTypes.BINARY},
    )
    @action(detail=True, url_path="citation/<str:file_format>")
    def citation(
        self, request: Request, public_id: Any = None, file_format: str = ""
    ) -> HttpResponseBase:
        version = visible_or_404(versions_visible_to(request.user), public_id)
        if version.is_draft:
            raise NotFound
        return citation_response(request, version, file_format)

    @extend_schema(summary="Withdraw a published version", request=WithdrawSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, public_id: Any = None) -> Response:
        version = editable_or_403(DatasetVersion, request.user, public_id)
        asked = WithdrawSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        version_withdraw(version=version, actor=request.user, **asked.validated_data)
        version.refresh_from_db()
        return Response(self.get_serializer(version).data)


def _uuid(text: str) -> Any:
    try:
        return UUID(text)
    except ValueError as error:
        raise Refused(f"dataset: “{text[:40]}” is not a UUID.") from error

"""Uploads over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.access import editable_or_403, visible_or_404
from datasets.api.labs import lab_of
from datasets.api.serializers import UploadCreateSerializer, UploadSerializer
from datasets.downloads import original_response
from datasets.files import original_path
from datasets.models import Dataset, Upload, UploadTarget
from datasets.selectors import uploads_visible_to
from datasets.services import upload_cancel, upload_create, upload_delete, upload_retry
from datasets.views.uploads import too_large


class TooLarge(APIException):
    """More bytes than the site takes."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


@extend_schema_view(
    list=extend_schema(
        summary="List uploaded files",
        parameters=[
            OpenApiParameter("dataset", OpenApiTypes.UUID),
            OpenApiParameter("state", str, description="waiting, parsing, accepted, …"),
        ],
    ),
    retrieve=extend_schema(summary="Show a file with its report"),
)
@extend_schema(tags=["uploads"])
class UploadViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Files that were sent, each with what became of it."""

    queryset = Upload.objects.none()
    serializer_class = UploadSerializer
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    ordering_fields = ["created_at", "name", "size"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a too large body before anything reads it."""
        problem = too_large(request._request)
        if problem:
            raise TooLarge(problem)
        super().initial(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        rows = uploads_visible_to(self.request.user)
        query = self.request.query_params
        if query.get("state"):
            rows = rows.filter(state=query["state"])
        if query.get("dataset"):
            datasets = Dataset.objects.visible_to(self.request.user)
            chosen = [d.pk for d in datasets if str(d.public_id) == query["dataset"]]
            rows = rows.filter(dataset_id__in=chosen)
        return rows

    @extend_schema(
        summary="Send a file",
        description="Multipart form data. With `dataset` the file is teacher data, without it "
        "structures. The file is read in the background: ask for the upload until its state is "
        "accepted, refused or failed.",
        request={"multipart/form-data": UploadCreateSerializer},
        responses={201: UploadSerializer},
    )
    def create(self, request: Request) -> Response:
        asked = UploadCreateSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = dict(asked.validated_data)
        values.pop("lab", None)
        dataset = None
        if "dataset" in values:
            dataset = editable_or_403(Dataset, request.user, values.pop("dataset"))
        upload = upload_create(
            owner=request.user,
            lab=dataset.lab if dataset else lab_of(request),
            target=UploadTarget.FRAMES if dataset else UploadTarget.STRUCTURES,
            dataset=dataset,
            **values,
        )
        return Response(self.get_serializer(upload).data, status=status.HTTP_201_CREATED)

    @extend_schema(summary="Cancel the reading of a file", request=None)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, public_id: Any = None) -> Response:
        upload = editable_or_403(Upload, request.user, public_id)
        upload_cancel(upload=upload, actor=request.user)
        upload.refresh_from_db()
        return Response(self.get_serializer(upload).data)

    @extend_schema(summary="Read a refused, failed or cancelled file again", request=None)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, public_id: Any = None) -> Response:
        upload = editable_or_403(Upload, request.user, public_id)
        upload_retry(upload=upload, actor=request.user)
        upload.refresh_from_db()
        return Response(self.get_serializer(upload).data)

    @extend_schema(summary="Take a file that gave nothing off the list")
    def destroy(self, request: Request, public_id: Any = None) -> Response:
        upload = editable_or_403(Upload, request.user, public_id)
        upload_delete(upload=upload, actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Download the original file",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    @action(detail=True)
    def original(self, request: Request, public_id: Any = None) -> HttpResponseBase:
        upload = visible_or_404(uploads_visible_to(request.user), public_id)
        path = original_path(upload.public_id)
        if not path.exists():
            raise Http404
        return original_response(str(path), upload.name)

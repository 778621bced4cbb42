"""What was sent as a potential and refused, over HTTP."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.access import editable_or_403
from potentials.models import RefusedUpload
from potentials.services.refusals import refusal_delete


class RefusedUploadSerializer(serializers.ModelSerializer):
    """Files that did not become a potential, with the reason."""

    owner = serializers.CharField(source="owner.name", read_only=True)
    lab = serializers.UUIDField(source="lab.public_id", read_only=True)
    files = serializers.JSONField(
        source="verdicts", help_text="name, size (bytes), fate and words of each file"
    )
    original = serializers.SerializerMethodField(help_text="address of what was sent; may be empty")

    class Meta:
        model = RefusedUpload
        fields = [
            *("public_id", "name", "file_name", "size", "sha256", "reason", "files", "original"),
            *("visibility", "owner", "lab", "created_at", "modified_at"),
        ]
        read_only_fields = fields

    def get_original(self, row: RefusedUpload) -> str:
        if row.content is None:
            return ""
        return reverse("potentials:refused-upload-original", args=[row.public_id])


@extend_schema_view(
    list=extend_schema(summary="List files that were sent as a potential and refused"),
    retrieve=extend_schema(summary="Show refused files with the reason"),
)
@extend_schema(tags=["potentials"])
class RefusedUploadViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet
):
    """Refused uploads; `again` of the upload tries one once more."""

    queryset = RefusedUpload.objects.none()
    serializer_class = RefusedUploadSerializer
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    ordering_fields = ["modified_at", "size"]

    def get_queryset(self) -> Any:
        rows = RefusedUpload.objects.visible_to(self.request.user)
        return rows.select_related("owner", "lab").order_by("-modified_at", "-pk")

    @extend_schema(summary="Take refused files off the list", responses={204: None})
    def destroy(self, request: Request, public_id: Any = None) -> Response:
        row = editable_or_403(RefusedUpload, request.user, public_id)
        refusal_delete(row=row, actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

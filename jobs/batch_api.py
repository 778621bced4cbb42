"""Batches over HTTP."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from jobs.batches import batch_cancel, batch_retry_failed, batch_summary, batches_visible_to
from jobs.models import Batch
from labs.models import Scope


class BatchSerializer(serializers.ModelSerializer[Batch]):
    """A batch with how far it is; its runs are listed by ``/jobs/?batch=…``."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    owner = serializers.CharField(source="owner.name", read_only=True)
    lab = serializers.CharField(source="lab.name", read_only=True)
    counts = serializers.SerializerMethodField(help_text="runs by state")
    total = serializers.SerializerMethodField()
    fraction = serializers.SerializerMethodField(help_text="of the work done, 0 to 1")
    runs = serializers.SerializerMethodField(help_text="address of its runs")

    class Meta:
        model = Batch
        fields = [
            *("id", "title", "kind", "owner", "lab", "visibility", "created_at"),
            *("counts", "total", "fraction", "runs"),
        ]

    def get_counts(self, batch: Batch) -> dict[str, int]:
        return {state.value: count for state, count in batch_summary(batch).counts}

    def get_total(self, batch: Batch) -> int:
        return batch_summary(batch).total

    def get_fraction(self, batch: Batch) -> float:
        return batch_summary(batch).fraction

    def get_runs(self, batch: Batch) -> str:
        address = reverse("api:job-list", request=self.context.get("request"))
        return f"{address}?batch={batch.public_id}"


class BatchViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Batch]
):
    """Runs that were started together."""

    serializer_class = BatchSerializer
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    required_scope = Scope.RUN
    filterset_fields = ("kind",)
    ordering_fields = ("id", "title")

    def get_queryset(self) -> QuerySet[Batch]:
        if getattr(self, "swagger_fake_view", False):
            return Batch.objects.none()
        return batches_visible_to(self.request.user)

    @extend_schema(summary="List batches of runs")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @extend_schema(summary="Show a batch with its runs by state")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(summary="Retry the failed runs of a batch", request=None)
    @action(detail=True, methods=["post"], url_path="retry-failed", url_name="retry-failed")
    def retry_failed(self, request: Request, public_id: Any = None) -> Response:
        batch = self.get_object()
        batch_retry_failed(batch=batch, actor=request.user)
        return Response(self.get_serializer(batch).data)

    @extend_schema(summary="Stop all runs of a batch", request=None)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, public_id: Any = None) -> Response:
        batch = self.get_object()
        batch_cancel(batch=batch, actor=request.user)
        return Response(self.get_serializer(batch).data)

"""What the resources of trainings and MD runs share: start, start a batch, preview, cancel, log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from jobs.batch_api import BatchSerializer
from jobs.models import Batch
from jobs.script_preview import ScriptPreview
from jobs.serializers import ScriptPreviewSerializer
from jobs.services import job_cancel
from labs.models import Lab, Scope
from labs.selectors import working_lab
from potentials.views.common import job_file

WRITING = frozenset({"destroy", "structure", "keep_candidates"})  # actions that start no run
CSV = OpenApiResponse(OpenApiTypes.STR, description="CSV with a header line")


class RunViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet, ABC):
    """Runs of one kind.

    A subclass names the serializers of what is asked for, and says how that is read and started.
    """

    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    ordering_fields = ("created_at", "name")
    asked_serializer: type[BaseSerializer[Any]]
    batch_serializer: type[BaseSerializer[Any]]

    @property
    def required_scope(self) -> str:
        """Starting and cancelling need ``run``, deleting and keeping structures ``write``."""
        return Scope.WRITE if self.action in WRITING else Scope.RUN

    @abstractmethod
    def read(self, values: dict[str, Any]) -> Any:
        """Return the request that the services take."""

    @abstractmethod
    def start(self, lab: Lab, asked: Any) -> Any:
        """Start one run; return its row."""

    @abstractmethod
    def start_batch(self, lab: Lab, asked: Any, values: dict[str, Any]) -> Batch:
        """Start several runs that differ in what ``values`` say."""

    @abstractmethod
    def script(self, lab: Lab, asked: Any) -> ScriptPreview:
        """Return the script of a run that isn't started."""

    def beside_script(self, asked: Any) -> dict[str, str]:
        """Return what a preview says beside the script."""
        return {}

    def create(self, request: Request) -> Response:
        values = self._values(self.asked_serializer)
        row = self.start(working_lab(request), self.read(values))
        return Response(self.get_serializer(row).data, status=status.HTTP_201_CREATED)

    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Response:
        values = self._values(self.batch_serializer)
        made = self.start_batch(working_lab(request), self.read(values), values)
        answer = BatchSerializer(made, context=self.get_serializer_context())
        return Response(answer.data, status=status.HTTP_201_CREATED)

    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        asked = self.read(self._values(self.asked_serializer))
        shown = self.script(working_lab(request), asked)
        return Response({**ScriptPreviewSerializer(shown).data, **self.beside_script(asked)})

    @extend_schema(summary="Cancel the run", request=None)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, public_id: str) -> Response:
        row = self.get_object()
        job_cancel(job=row.job, actor=request.user)
        row.job.refresh_from_db()
        return Response(self.get_serializer(row).data)

    @extend_schema(summary="The run's log", responses={200: OpenApiTypes.STR})
    @action(detail=True)
    def log(self, request: Request, public_id: str) -> FileResponse:
        return job_file(self.get_object().job, "job.log", "job.log")

    def _values(self, kind: type[BaseSerializer[Any]]) -> dict[str, Any]:
        asked = kind(data=self.request.data)
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)

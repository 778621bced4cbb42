"""The API of training runs."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.batch_api import BatchSerializer
from jobs.models import Batch
from jobs.script_preview import ScriptPreview
from jobs.serializers import ScriptPreviewSerializer
from labs.exceptions import Refused
from labs.models import Lab
from potentials.api.runs import CSV, RunViewSet
from potentials.models import Training
from potentials.requests import training_request
from potentials.selectors import trainings_visible_to
from potentials.serializers import (
    TrainingBatchSerializer,
    TrainingRequestSerializer,
    TrainingSerializer,
)
from potentials.services.batches import trainings_start
from potentials.services.scripts import training_script
from potentials.services.trainings import TrainingRequest, training_delete, training_start
from potentials.training_curves import curve_response
from potentials.training_plots import CURVE_FILE

EXAMPLE = OpenApiExample(
    "quick",
    value={
        "name": "Silicon",
        "versions": ["00000000-0000-0000-0000-000000000000"],
        "effort": "quick",
    },
    request_only=True,
)


@extend_schema_view(
    list=extend_schema(summary="List training runs"),
    retrieve=extend_schema(summary="One training run with its state and progress"),
    create=extend_schema(
        summary="Start a training",
        request=TrainingRequestSerializer,
        responses={201: TrainingSerializer},
        examples=[EXAMPLE],
    ),
    batch=extend_schema(
        summary="Start several trainings that differ in their seed",
        request=TrainingBatchSerializer,
        responses={201: BatchSerializer},
    ),
    preview=extend_schema(
        summary="See the script of a training before it is started",
        request=TrainingRequestSerializer,
        responses=ScriptPreviewSerializer,
    ),
)
class TrainingViewSet(RunViewSet):
    """Training runs."""

    queryset = Training.objects.none()
    serializer_class = TrainingSerializer
    asked_serializer = TrainingRequestSerializer
    batch_serializer = TrainingBatchSerializer

    def get_queryset(self) -> Any:
        return trainings_visible_to(self.request.user).select_related("job__cluster")

    def read(self, values: dict[str, Any]) -> TrainingRequest:
        return training_request(self.request.user, values)

    def start(self, lab: Lab, asked: TrainingRequest) -> Training:
        return training_start(owner=self.request.user, lab=lab, request=asked)

    def start_batch(self, lab: Lab, asked: TrainingRequest, values: dict[str, Any]) -> Batch:
        return trainings_start(owner=self.request.user, lab=lab, request=asked, runs=values["runs"])

    def script(self, lab: Lab, asked: TrainingRequest) -> ScriptPreview:
        shown = training_script(user=self.request.user, lab=lab, request=asked)
        if shown is None:
            raise Refused(_("The script of this family is known only once its input is written."))
        return shown

    @extend_schema(summary="Delete a training that ended without a potential")
    def destroy(self, request: Request, public_id: str) -> Response:
        training_delete(training=self.get_object(), actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(summary="The learning curve", responses={(200, "text/csv"): CSV})
    @action(detail=True)
    def curve(self, request: Request, public_id: str) -> HttpResponse | FileResponse:
        return curve_response(self.get_object(), CURVE_FILE)

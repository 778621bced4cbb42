"""The API of potentials, trainings and MD runs: the same selectors and services as the pages."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.batch_api import BatchSerializer
from jobs.files import job_folder
from jobs.serializers import ScriptPreviewSerializer
from jobs.services import job_cancel
from labs.exceptions import Refused
from labs.models import Scope
from labs.selectors import working_lab
from potentials import observations
from potentials.cards import archive_response, parity_csv_response
from potentials.models import Potential, Simulation, Training
from potentials.potential_forms import CatalogForm
from potentials.requests import simulation_request, training_request
from potentials.selectors import (
    potentials_filtered,
    potentials_visible_to,
    simulations_visible_to,
    trainings_visible_to,
)
from potentials.serializers import (
    PotentialListSerializer,
    PotentialSerializer,
    SimulationBatchSerializer,
    SimulationRequestSerializer,
    SimulationSerializer,
    StructureIdSerializer,
    StructureNameSerializer,
    TrainingBatchSerializer,
    TrainingRequestSerializer,
    TrainingSerializer,
)
from potentials.services.batches import simulations_start, trainings_start
from potentials.services.potentials import potential_delete, potential_update
from potentials.services.scripts import simulation_script, training_script
from potentials.services.simulations import (
    simulation_delete,
    simulation_start,
    simulation_structure_save,
)
from potentials.services.trainings import training_delete, training_start
from potentials.simulation_plots import THERMO_FILE
from potentials.training_curves import curve_response
from potentials.training_plots import CURVE_FILE
from potentials.trajectories import TrajectoryRequest, trajectory_lines
from potentials.views.common import job_file

CSV = OpenApiResponse(OpenApiTypes.STR, description="CSV with a header line")
BINARY = OpenApiResponse(OpenApiTypes.BINARY)


class RunActions(viewsets.GenericViewSet):
    """What trainings and MD runs share."""

    lookup_field = "public_id"
    lookup_value_converter = "uuid"

    @property
    def required_scope(self) -> str:
        """Starting and cancelling need ``run``, deleting and keeping structures ``write``."""
        return Scope.WRITE if self.action in {"destroy", "structure"} else Scope.RUN

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


class PotentialViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet,
):
    """The potential catalog."""

    queryset = Potential.objects.none()
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    filter_backends = ()
    http_method_names = ("get", "patch", "delete", "head", "options")

    def get_queryset(self) -> Any:
        return potentials_visible_to(self.request.user)

    def get_serializer_class(self) -> Any:
        return PotentialListSerializer if self.action == "list" else PotentialSerializer

    @extend_schema(
        summary="List potentials",
        parameters=[
            OpenApiParameter("q", str, description="in name or description"),
            OpenApiParameter("elements", str, description="symbols, for example ``Si O``"),
            OpenApiParameter("only", str, description="``1``: exactly these elements"),
            OpenApiParameter("force_rmse", float, description="below, meV/Å"),
            OpenApiParameter("energy_rmse", float, description="below, meV/atom"),
            OpenApiParameter("family", str),
            OpenApiParameter("owner", str),
            OpenApiParameter("latest", str, description="``1``: the newest version of each name"),
            OpenApiParameter("sort", str, description="``-created``, ``name``, ``force_rmse``, …"),
        ],
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        form = CatalogForm(request.query_params)
        if not form.is_valid():
            return Response(form.errors, status=status.HTTP_400_BAD_REQUEST)
        order = request.query_params.get("sort", "-created")
        rows = potentials_filtered(request.user, form.filter(), order)
        page = self.paginate_queryset(rows.defer("settings", "validation"))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(summary="One potential with everything on its card")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(summary="Change what people say about a potential")
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self._editable()
        serializer = self.get_serializer(row, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        said = ("name", "licence", "description", "not_for", "visibility", "citation", "source")
        values = {name: serializer.validated_data.get(name, getattr(row, name)) for name in said}
        return Response(
            self.get_serializer(potential_update(potential=row, actor=request.user, **values)).data
        )

    @extend_schema(summary="Delete a potential that no MD run used")
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        potential_delete(potential=self._editable(), actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Everything as a zip for LAMMPS, n2p2 and ASE",
        responses={(200, "application/zip"): BINARY},
    )
    @action(detail=True)
    def archive(self, request: Request, public_id: str) -> HttpResponse:
        row = self.get_object()
        return archive_response(
            row, PotentialSerializer(context=self.get_serializer_context()).get_page(row)
        )

    @extend_schema(
        summary="One file of the potential", responses={(200, "application/octet-stream"): BINARY}
    )
    @action(detail=True, url_path=r"files/(?P<name>[^/]+)")
    def file(self, request: Request, public_id: str, name: str) -> HttpResponse:
        file = self.get_object().files.filter(name=name).first()
        if file is None:
            return Response({"detail": _("There is no such file.")}, status=404)
        response = HttpResponse(bytes(file.content), content_type="application/octet-stream")
        response["Content-Disposition"] = f'attachment; filename="{file.name}"'
        return response

    @extend_schema(
        summary="The points of a parity plot",
        parameters=[OpenApiParameter("quantity", str, "path", enum=["energy", "force"])],
        responses={(200, "text/csv"): CSV},
    )
    @action(detail=True, url_path=r"parity/(?P<quantity>energy|force)")
    def parity(self, request: Request, public_id: str, quantity: str) -> StreamingHttpResponse:
        return parity_csv_response(self.get_object(), quantity)

    def _editable(self) -> Potential:
        row = self.get_object()
        if not Potential.objects.editable_by(self.request.user).filter(pk=row.pk).exists():
            raise PermissionDenied(
                _("Only the owner and the lab's managers change this potential.")
            )
        return row


class TrainingViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RunActions):
    """Training runs."""

    queryset = Training.objects.none()
    serializer_class = TrainingSerializer
    ordering_fields = ("created_at", "name")

    def get_queryset(self) -> Any:
        return trainings_visible_to(self.request.user).select_related("job__cluster")

    @extend_schema(summary="List training runs")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @extend_schema(summary="One training run with its state and progress")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(
        summary="Start a training",
        request=TrainingRequestSerializer,
        responses={201: TrainingSerializer},
        examples=[
            OpenApiExample(
                "quick",
                value={
                    "name": "Silicon",
                    "versions": ["00000000-0000-0000-0000-000000000000"],
                    "effort": "quick",
                },
                request_only=True,
            )
        ],
    )
    def create(self, request: Request) -> Response:
        asked = TrainingRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        row = training_start(
            owner=request.user,
            lab=working_lab(request),
            request=training_request(request.user, asked.validated_data),
        )
        return Response(self.get_serializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Start several trainings that differ in their seed",
        request=TrainingBatchSerializer,
        responses={201: BatchSerializer},
    )
    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Response:
        asked = TrainingBatchSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = trainings_start(
            owner=request.user,
            lab=working_lab(request),
            request=training_request(request.user, asked.validated_data),
            runs=asked.validated_data["runs"],
        )
        answer = BatchSerializer(made, context=self.get_serializer_context())
        return Response(answer.data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="See the script of a training before it is started",
        request=TrainingRequestSerializer,
        responses=ScriptPreviewSerializer,
    )
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        asked = TrainingRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        shown = training_script(
            user=request.user,
            lab=working_lab(request),
            request=training_request(request.user, asked.validated_data),
        )
        if shown is None:
            raise Refused(_("The script of this family is known only once its input is written."))
        return Response(ScriptPreviewSerializer(shown).data)

    @extend_schema(summary="Delete a training that ended without a potential")
    def destroy(self, request: Request, public_id: str) -> Response:
        training_delete(training=self.get_object(), actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(summary="The learning curve", responses={(200, "text/csv"): CSV})
    @action(detail=True)
    def curve(self, request: Request, public_id: str) -> HttpResponse | FileResponse:
        return curve_response(self.get_object(), CURVE_FILE)


class SimulationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RunActions):
    """Molecular-dynamics runs."""

    queryset = Simulation.objects.none()
    serializer_class = SimulationSerializer
    ordering_fields = ("created_at", "name")

    def get_queryset(self) -> Any:
        return simulations_visible_to(self.request.user).select_related("job__cluster")

    @extend_schema(summary="List MD runs")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @extend_schema(summary="One MD run with its state, progress and result")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(
        summary="Start an MD run",
        request=SimulationRequestSerializer,
        responses={201: SimulationSerializer},
        examples=[
            OpenApiExample(
                "10 ps at 300 K",
                value={
                    "name": "Si at 300 K",
                    "potential": "00000000-0000-0000-0000-000000000000",
                    "structure": "00000000-0000-0000-0000-000000000000",
                    "repeats": [2, 2, 2],
                    "settings": {
                        "time_step": 1.0,
                        "stages": [
                            {
                                "kind": "hold",
                                "ensemble": "nvt-bussi",
                                "temperature_start": 300.0,
                                "steps": 10000,
                            }
                        ],
                    },
                },
                request_only=True,
            )
        ],
    )
    def create(self, request: Request) -> Response:
        asked = SimulationRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        row = simulation_start(
            owner=request.user,
            lab=working_lab(request),
            request=simulation_request(request.user, asked.validated_data),
        )
        return Response(self.get_serializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Start several MD runs that differ in their temperature",
        request=SimulationBatchSerializer,
        responses={201: BatchSerializer},
    )
    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Response:
        asked = SimulationBatchSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = simulations_start(
            owner=request.user,
            lab=working_lab(request),
            request=simulation_request(request.user, asked.validated_data),
            temperatures=asked.validated_data["temperatures"],
        )
        answer = BatchSerializer(made, context=self.get_serializer_context())
        return Response(answer.data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="See the script of an MD run before it is started",
        request=SimulationRequestSerializer,
        responses=ScriptPreviewSerializer,
    )
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        asked = SimulationRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        shown = simulation_script(
            lab=working_lab(request), request=simulation_request(request.user, asked.validated_data)
        )
        return Response(ScriptPreviewSerializer(shown).data)

    @extend_schema(summary="Delete an MD run that has ended")
    def destroy(self, request: Request, public_id: str) -> Response:
        simulation_delete(simulation=self.get_object(), actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Temperature, energies, pressure, density", responses={(200, "text/csv"): CSV}
    )
    @action(detail=True)
    def thermo(self, request: Request, public_id: str) -> FileResponse:
        return job_file(self.get_object().job, THERMO_FILE, THERMO_FILE)

    @extend_schema(
        operation_id="simulations_table",
        summary="g(r), mean squared displacement or coordination numbers",
        parameters=[OpenApiParameter("name", str, "path", enum=sorted(observations.TABLES))],
        responses={(200, "text/csv"): CSV},
    )
    @action(detail=True, url_path=r"(?P<name>rdf|msd|coordination)")
    def table(self, request: Request, public_id: str, name: str) -> HttpResponse:
        text = observations.TABLES[name](job_folder(self.get_object().job))
        return HttpResponse(text, content_type="text/csv; charset=utf-8")

    @extend_schema(
        summary="The trajectory as extxyz or LAMMPS dump",
        parameters=[
            OpenApiParameter("kind", str, "path", enum=["extxyz", "lammps-dump"]),
            OpenApiParameter("start", int, description="first frame"),
            OpenApiParameter("stop", int, description="frame to stop before"),
            OpenApiParameter("stride", int, description="every how many frames"),
        ],
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    @action(detail=True, url_path=r"trajectory/(?P<kind>extxyz|lammps-dump)")
    def trajectory(self, request: Request, public_id: str, kind: str) -> StreamingHttpResponse:
        asked = TrajectoryRequest.from_query(kind, request.query_params)
        lines = trajectory_lines(job_folder(self.get_object().job), asked)
        return StreamingHttpResponse(lines, content_type="text/plain; charset=utf-8")

    @extend_schema(
        summary="Keep one configuration as a structure",
        request=StructureNameSerializer,
        responses={201: StructureIdSerializer},
    )
    @action(detail=True, methods=["post"], url_path="structure")
    def structure(self, request: Request, public_id: str) -> Response:
        asked = StructureNameSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = simulation_structure_save(
            simulation=self.get_object(), actor=request.user, **asked.validated_data
        )
        return Response(StructureIdSerializer(made).data, status=status.HTTP_201_CREATED)

"""The API of MD runs."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, Http404, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.batch_api import BatchSerializer
from jobs.files import job_folder
from jobs.models import Batch
from jobs.script_preview import ScriptPreview
from labs.models import Lab
from mlmd.md.candidates import CANDIDATES_FILE
from mlmd.md.committee import DISAGREEMENT_FILE
from potentials import observations
from potentials.api.runs import CSV, RunViewSet
from potentials.candidate_serializers import CandidateSetSerializer, CandidatesSerializer
from potentials.disagreement import candidates_of
from potentials.models import Simulation
from potentials.requests import simulation_request
from potentials.selectors import simulations_visible_to
from potentials.serializers import (
    SimulationBatchSerializer,
    SimulationPreviewSerializer,
    SimulationRequestSerializer,
    SimulationSerializer,
    StructureIdSerializer,
    StructureNameSerializer,
)
from potentials.services.batches import simulations_start
from potentials.services.candidates import candidates_save
from potentials.services.scripts import simulation_deck, simulation_script
from potentials.services.simulations import (
    SimulationRequest,
    simulation_delete,
    simulation_start,
    simulation_structure_save,
)
from potentials.simulation_plots import THERMO_FILE, thermo_response
from potentials.trajectories import TrajectoryRequest, trajectory_lines
from potentials.views.common import job_file

EXAMPLE = OpenApiExample(
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


@extend_schema_view(
    list=extend_schema(summary="List MD runs"),
    retrieve=extend_schema(summary="One MD run with its state, progress and result"),
    create=extend_schema(
        summary="Start an MD run",
        request=SimulationRequestSerializer,
        responses={201: SimulationSerializer},
        examples=[EXAMPLE],
    ),
    batch=extend_schema(
        summary="Start several MD runs that differ in their temperature",
        request=SimulationBatchSerializer,
        responses={201: BatchSerializer},
    ),
    preview=extend_schema(
        summary="See the script of an MD run before it is started",
        request=SimulationRequestSerializer,
        responses=SimulationPreviewSerializer,
    ),
)
class SimulationViewSet(RunViewSet):
    """Molecular-dynamics runs."""

    queryset = Simulation.objects.none()
    serializer_class = SimulationSerializer
    asked_serializer = SimulationRequestSerializer
    batch_serializer = SimulationBatchSerializer

    def get_queryset(self) -> Any:
        return simulations_visible_to(self.request.user).select_related("job__cluster")

    def read(self, values: dict[str, Any]) -> SimulationRequest:
        return simulation_request(self.request.user, values)

    def start(self, lab: Lab, asked: SimulationRequest) -> Simulation:
        return simulation_start(owner=self.request.user, lab=lab, request=asked)

    def start_batch(self, lab: Lab, asked: SimulationRequest, values: dict[str, Any]) -> Batch:
        return simulations_start(
            owner=self.request.user, lab=lab, request=asked, temperatures=values["temperatures"]
        )

    def script(self, lab: Lab, asked: SimulationRequest) -> ScriptPreview:
        return simulation_script(lab=lab, request=asked)

    def beside_script(self, asked: SimulationRequest) -> dict[str, str]:
        return {"input": simulation_deck(asked)}

    @extend_schema(summary="Delete an MD run that has ended")
    def destroy(self, request: Request, public_id: str) -> Response:
        simulation_delete(simulation=self.get_object(), actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Temperature, energies, pressure, density", responses={(200, "text/csv"): CSV}
    )
    @action(detail=True)
    def thermo(self, request: Request, public_id: str) -> HttpResponse | FileResponse:
        return thermo_response(self.get_object(), THERMO_FILE)

    @extend_schema(
        operation_id="simulations_table",
        summary="g(r), S(q), mean squared displacement or coordination numbers",
        parameters=[OpenApiParameter("name", str, "path", enum=sorted(observations.TABLES))],
        responses={(200, "text/csv"): CSV},
    )
    @action(detail=True, url_path=r"(?P<name>rdf|sq|msd|coordination)")
    def table(self, request: Request, public_id: str, name: str) -> HttpResponse:
        text = observations.TABLES[name](job_folder(self.get_object().job))
        return HttpResponse(text, content_type="text/csv; charset=utf-8")

    @extend_schema(
        summary="Largest and mean spread of a committee's forces on each stored frame",
        responses={(200, "text/csv"): CSV},
    )
    @action(detail=True)
    def disagreement(self, request: Request, public_id: str) -> FileResponse:
        return job_file(self.get_object().job, DISAGREEMENT_FILE, DISAGREEMENT_FILE)

    @extend_schema(
        summary="The frames that were put aside to be computed, and between which levels",
        responses=CandidatesSerializer,
    )
    @action(detail=True)
    def candidates(self, request: Request, public_id: str) -> Response:
        found = candidates_of(job_folder(self.get_object().job))
        if found is None:
            raise Http404(_("The run has put no frames aside yet."))
        return Response(CandidatesSerializer(found).data)

    @extend_schema(
        summary="Keep the candidates as a set of structures, ready for DFT",
        request=None,
        responses={201: CandidateSetSerializer},
    )
    @candidates.mapping.post
    def keep_candidates(self, request: Request, public_id: str) -> Response:
        made = candidates_save(simulation=self.get_object(), actor=request.user)
        return Response(CandidateSetSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="The candidates' positions as extxyz",
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    @action(detail=True, url_path=r"candidates\.extxyz")
    def candidate_positions(self, request: Request, public_id: str) -> FileResponse:
        return job_file(self.get_object().job, CANDIDATES_FILE, CANDIDATES_FILE)

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

"""DFT runs over HTTP."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.access import editable_or_403, visible_or_404
from datasets.api.labs import lab_of
from datasets.dft.codes import CODES, code_named
from datasets.dft.scripts import dft_script
from datasets.dft.services import (
    DftRequest,
    dft_check,
    dft_continue,
    dft_outcomes,
    dft_potentials,
    dft_retry_failed,
    dft_runs_visible_to,
    dft_start,
)
from datasets.models import Dataset, PseudoFamily, Structure, StructureSet
from datasets.services.access import creation_check
from jobs.models import Job
from jobs.resources import Asked
from jobs.selectors import clusters_usable_by
from jobs.serializers import AskedSerializer, ScriptPreviewSerializer
from jobs.services import cluster_ensure_local
from labs.models import Visibility
from mlmd.codes.protocols import Protocol


class DftOutcomeSerializer(serializers.Serializer):
    structure = serializers.UUIDField()
    name = serializers.CharField()
    outcome = serializers.ChoiceField(
        ["waiting", "converged", "unconverged", "failed", "unfinished"]
    )
    frames = serializers.IntegerField()
    message = serializers.CharField()


class DftRunSerializer(serializers.ModelSerializer):
    """A DFT run; everything that runs have in common is under `jobs`."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    dataset = serializers.SerializerMethodField()
    code = serializers.SerializerMethodField()
    settings = serializers.SerializerMethodField()
    potentials = serializers.SerializerMethodField()
    structures = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = ["id", "title", "state", "reason", "dataset", "code", "settings", "potentials"]
        fields += ["structures"]

    def get_dataset(self, job: Job) -> str:
        return str(job.spec.get("dataset", ""))

    def get_code(self, job: Job) -> str:
        return str(job.spec.get("code", "espresso"))

    def get_potentials(self, job: Job) -> dict[str, Any]:
        return dft_potentials(job)

    def get_settings(self, job: Job) -> dict[str, Any]:
        return dict(job.spec.get("settings", {}))

    @extend_schema(responses=DftOutcomeSerializer(many=True))
    def get_structures(self, job: Job) -> list[dict[str, Any]]:
        return list(DftOutcomeSerializer(dft_outcomes(job), many=True).data)


class DftStartSerializer(serializers.Serializer):
    structures = serializers.ListField(child=serializers.UUIDField(), default=list)
    structure_set = serializers.UUIDField(required=False, help_text="All members are computed.")
    code = serializers.ChoiceField(list(CODES), default="espresso")
    protocol = serializers.ChoiceField(list(Protocol), default=Protocol.MODERATE)
    settings = serializers.DictField(default=dict, help_text="Changes to the protocol.")
    family = serializers.UUIDField(required=False, help_text="Of pseudopotentials (pw.x).")
    dataset = serializers.UUIDField(required=False, help_text="Takes the frames; none: a new one.")
    dataset_name = serializers.CharField(default="", allow_blank=True, max_length=200)
    cluster = serializers.UUIDField(required=False, help_text="None: the portal's machine.")
    frame_kind = serializers.CharField(default="", allow_blank=True, max_length=120)
    processes = serializers.IntegerField(default=1, min_value=1, max_value=4096)
    at_once = serializers.IntegerField(
        required=False, min_value=1, max_value=1000, help_text="Structures at a time."
    )
    walltime_s = serializers.IntegerField(required=False, min_value=60)
    resources = AskedSerializer(required=False, help_text="What to ask of the cluster.")
    visibility = serializers.ChoiceField(Visibility.choices, default=Visibility.LAB)
    lab = serializers.CharField(required=False)


@extend_schema_view(
    list=extend_schema(summary="List DFT runs"),
    retrieve=extend_schema(summary="Show a DFT run with what became of each structure"),
)
@extend_schema(tags=["dft"])
class DftViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Structures computed by Quantum ESPRESSO or VASP; their frames go into a dataset."""

    queryset = Job.objects.none()
    serializer_class = DftRunSerializer
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    required_scope = "run"
    ordering_fields = ["created_at", "title"]

    def get_queryset(self) -> Any:
        return dft_runs_visible_to(self.request.user)

    @extend_schema(
        summary="Compute structures with DFT",
        request=DftStartSerializer,
        responses={201: DftRunSerializer},
        examples=[
            OpenApiExample(
                "Silicon",
                value={
                    "structures": ["8d3f6f0e-5d0c-4b6e-9d6c-1f6f6c6f2b11"],
                    "protocol": "fast",
                    "settings": {"smearing_width": 0.01},
                },
            )
        ],
    )
    def create(self, request: Request) -> Response:
        job = dft_start(owner=request.user, lab=lab_of(request), request=_asked(request))
        return Response(self.get_serializer(job).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="See the script of a DFT run before it is started",
        request=DftStartSerializer,
        responses=ScriptPreviewSerializer,
    )
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        asked = _asked(request)
        potentials = dft_check(asked)
        shown = dft_script(lab=lab_of(request), request=asked, potentials=potentials)
        return Response(ScriptPreviewSerializer(shown).data)

    @extend_schema(
        summary="Compute the structures that failed once more",
        request=None,
        responses={201: DftRunSerializer},
    )
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, public_id: Any = None) -> Response:
        job = visible_or_404(dft_runs_visible_to(request.user), public_id)
        creation_check(request.user, lab_of(request))
        made = dft_retry_failed(job=job, actor=request.user)
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Go on with the structures that a run had not finished when it ended",
        request=None,
        responses={201: DftRunSerializer},
    )
    @action(detail=True, methods=["post"], url_path="continue", url_name="continue")
    def go_on(self, request: Request, public_id: Any = None) -> Response:
        job = visible_or_404(dft_runs_visible_to(request.user), public_id)
        creation_check(request.user, lab_of(request))
        made = dft_continue(job=job, actor=request.user)
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)


def _asked(request: Request) -> DftRequest:
    """Return what the body of a call asks for; what it names must be visible."""
    asked = DftStartSerializer(data=request.data)
    asked.is_valid(raise_exception=True)
    values = dict(asked.validated_data)
    values.pop("lab", None)
    resources = Asked(**values.pop("resources", {}))
    seen = Structure.objects.visible_to(request.user)
    structures = [visible_or_404(seen, public_id) for public_id in values.pop("structures")]
    if of_set := values.pop("structure_set", None):
        found = visible_or_404(StructureSet.objects.visible_to(request.user), of_set)
        structures += found.members.order_by("pk")
    dataset = values.pop("dataset", None)
    cluster = values.pop("cluster", None)
    if family := values.pop("family", None):
        families = PseudoFamily.objects.visible_to(request.user)
        values["family"] = visible_or_404(families, family)
    return DftRequest(
        structures=structures,
        settings=code_named(values["code"]).protocol_settings(
            values.pop("protocol"), **values.pop("settings")
        ),
        dataset=editable_or_403(Dataset, request.user, dataset) if dataset else None,
        cluster=visible_or_404(clusters_usable_by(request.user), cluster)
        if cluster
        else cluster_ensure_local(),
        asked=resources,
        **values,
    )

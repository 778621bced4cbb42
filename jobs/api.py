"""Jobs and clusters over HTTP: the same selectors and services as the pages."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import services
from jobs.bundle import bundle_response
from jobs.continuing import job_continue
from jobs.downloads import file_response, zip_response
from jobs.files import log_tail
from jobs.models import Job
from jobs.selectors import STATE_GROUPS, job_detail, jobs_visible_to
from jobs.serializers import (
    ContinueSerializer,
    JobDetailSerializer,
    JobFileSerializer,
    JobLogSerializer,
    JobSerializer,
    files_of,
)
from jobs.states import State
from labs.models import Scope

LOG_LIMIT = 1_000_000
RUNNING_EXAMPLE = OpenApiExample(
    "A training that is running",
    value={
        "id": "7f9e6d1c-3f0f-4c4e-9a55-0f4dd6b6a001",
        "title": "Silicon",
        "kind": "train",
        "state": "running",
        "progress": {"fraction": 0.42, "message": "epoch 21 of 50", "eta_s": 73},
        "cluster": "local",
    },
    response_only=True,
)


class JobApiFilter(django_filters.FilterSet):
    """Narrows the list; ``state`` takes a state, ``active`` or ``finished``."""

    q = django_filters.CharFilter(field_name="title", lookup_expr="icontains")
    state = django_filters.ChoiceFilter(
        choices=[("active", "active"), ("finished", "finished"), *State.choices],
        method="by_state",
    )
    kind = django_filters.CharFilter(field_name="kind")
    cluster = django_filters.CharFilter(field_name="cluster__name")
    owner = django_filters.CharFilter(field_name="owner__name", lookup_expr="icontains")
    batch = django_filters.UUIDFilter(field_name="batch__public_id")

    class Meta:
        model = Job
        fields: ClassVar[list[str]] = []

    def by_state(self, queryset: QuerySet[Job], name: str, value: str) -> QuerySet[Job]:
        return queryset.filter(state__in=sorted(STATE_GROUPS.get(value, {value})))


class JobViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[Job],
):
    """Runs: list them, look at them, stop them, try them again, fetch their files."""

    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    required_scope = Scope.RUN
    filterset_class = JobApiFilter
    ordering_fields = ("id", "title", "state", "started_at", "ended_at")

    def get_queryset(self) -> QuerySet[Job]:
        if getattr(self, "swagger_fake_view", False):
            return Job.objects.none()
        if self.action == "list":
            return jobs_visible_to(self.request.user)
        return job_detail(self.request.user).prefetch_related("moves__actor")

    def get_serializer_class(self) -> Any:
        return JobSerializer if self.action == "list" else JobDetailSerializer

    @extend_schema(summary="List runs", examples=[RUNNING_EXAMPLE])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @extend_schema(summary="Show a run with its history")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(summary="Delete a finished run")
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().destroy(request, *args, **kwargs)

    def perform_destroy(self, instance: Job) -> None:
        services.job_delete(job=instance, actor=self.request.user)

    @extend_schema(summary="Stop a run", request=None, responses=JobDetailSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, public_id: Any = None) -> Response:
        return self._answer(services.job_cancel(job=self.get_object(), actor=request.user))

    @extend_schema(
        summary="Try a failed, cancelled or blocked run again",
        request=None,
        responses=JobDetailSerializer,
    )
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, public_id: Any = None) -> Response:
        return self._answer(services.job_retry(job=self.get_object(), actor=request.user))

    @extend_schema(
        summary="Continue a stopped run from its checkpoint",
        request=ContinueSerializer,
        responses=JobDetailSerializer,
    )
    @action(detail=True, methods=["post"], url_path="continue", url_name="continue")
    def go_on(self, request: Request, public_id: Any = None) -> Response:
        asked = ContinueSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        job = job_continue(job=self.get_object(), actor=request.user, **asked.validated_data)
        return self._answer(job)

    @extend_schema(
        summary="Read the end of a run's log",
        parameters=[OpenApiParameter("bytes", int, description="how much, at most 1 MB")],
        responses=JobLogSerializer,
    )
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def log(self, request: Request, public_id: Any = None) -> Response:
        asked = request.query_params.get("bytes", "")
        size = min(int(asked), LOG_LIMIT) if asked.isdecimal() else 8192
        return Response({"log": log_tail(self.get_object(), max(1, size))})

    @extend_schema(summary="List a run's files", responses=JobFileSerializer(many=True))
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def files(self, request: Request, public_id: Any = None) -> Response:
        return Response(files_of(self.get_object(), request))

    @extend_schema(
        summary="Download all files of a run as a zip",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def files_zip(self, request: Request, public_id: Any = None) -> HttpResponseBase:
        return zip_response(self.get_object())

    @extend_schema(
        summary="Download what is needed to run a run again, as a zip",
        parameters=[OpenApiParameter("outputs", bool, description="what it wrote, too")],
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def bundle_zip(self, request: Request, public_id: Any = None) -> HttpResponseBase:
        outputs = request.query_params.get("outputs", "").lower() in {"1", "true"}
        return bundle_response(self.get_object(), outputs=outputs)

    @extend_schema(
        summary="Download one file of a run",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def file(self, request: Request, public_id: Any = None, name: str = "") -> HttpResponseBase:
        return file_response(self.get_object(), name)

    def _answer(self, job: Job) -> Response:
        return Response(JobDetailSerializer(job, context=self.get_serializer_context()).data)

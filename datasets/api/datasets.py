"""Datasets and versions over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase, QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.access import editable_or_403, visible_or_404
from datasets.api.file_schema import ENERGY, FILE, FORMAT
from datasets.api.labs import lab_of
from datasets.api.serializers import (
    CollectSerializer,
    ComparisonSerializer,
    DatasetSerializer,
    DuplicatesSerializer,
    EventSerializer,
    FrameIdsSerializer,
    OutlierSerializer,
    PublishSerializer,
    VersionSerializer,
    WithdrawSerializer,
)
from datasets.catalog import catalog_query
from datasets.comparison import versions_compare
from datasets.coverage import coverage_of, coverage_to_json
from datasets.credits import Credits, authors_from_json
from datasets.downloads import rows_response
from datasets.duplicates import duplicates_find
from datasets.history import dataset_history
from datasets.maps import Colour
from datasets.models import Dataset, Frame
from datasets.outliers import outliers_find
from datasets.search import by_elements, by_words
from datasets.selectors import datasets_visible_to
from datasets.services import (
    dataset_collect,
    dataset_create,
    dataset_delete,
    dataset_publish,
    dataset_update,
    dataset_withdraw,
    frames_exclude,
    frames_restore,
)
from datasets.splits import SplitRequest
from datasets.version_files import settled, version_response
from datasets.views.datasets import dataset_frames
from datasets.views.maps import dataset_map_figure
from datasets.views.plots import PLOTS
from datasets.views.versions import plan_response, versions_to_compare

_FIELDS = ("name", "description", "licence", "tags", "visibility")


@extend_schema_view(
    list=extend_schema(
        summary="List datasets",
        parameters=[
            OpenApiParameter("q", str, description="Words in name, description or tags."),
            OpenApiParameter("elements", str, description="Chemical symbols."),
            OpenApiParameter("mode", str, enum=["all", "any", "only"]),
        ],
    ),
    retrieve=extend_schema(summary="Show a dataset with its versions"),
)
@extend_schema(tags=["datasets"])
class DatasetViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Frames with labels that belong together, in numbered versions."""

    queryset = Dataset.objects.none()
    serializer_class = DatasetSerializer
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    ordering_fields = ["name", "frame_count", "modified_at"]

    def get_queryset(self) -> Any:
        rows = datasets_visible_to(self.request.user).prefetch_related("versions__dataset")
        query = self.request.query_params
        rows = by_words(rows, query.get("q", ""), "name", "description", "tags")
        return by_elements(rows, query.get("elements", ""), query.get("mode", "all"))

    @extend_schema(
        summary="Make an empty dataset",
        examples=[OpenApiExample("A dataset", value={"name": "Silica", "licence": "CC-BY-4.0"})],
    )
    def create(self, request: Request) -> Response:
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values, credited = _credited(asked.validated_data)
        made = dataset_create(owner=request.user, lab=lab_of(request), credited=credited, **values)
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Copy the frames that a search finds into a new dataset",
        request=CollectSerializer,
        responses={201: DatasetSerializer},
    )
    @action(detail=False, methods=["post"])
    def collect(self, request: Request) -> Response:
        asked = CollectSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        query = QueryDict(asked.validated_data["query"])
        frames = catalog_query(request.user, query).frames(request.user)
        made = dataset_collect(
            owner=request.user, lab=lab_of(request), frames=frames, **asked.validated_data
        )
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(summary="Change what is said of a dataset")
    def partial_update(self, request: Request, public_id: Any = None) -> Response:
        dataset = editable_or_403(Dataset, request.user, public_id)
        asked = self.get_serializer(dataset, data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        given, credited = _credited(asked.validated_data, dataset)
        values = {field: getattr(dataset, field) for field in _FIELDS} | given
        changed = dataset_update(dataset=dataset, actor=request.user, credited=credited, **values)
        return Response(self.get_serializer(changed).data)

    @extend_schema(summary="Delete a dataset that was never published")
    def destroy(self, request: Request, public_id: Any = None) -> Response:
        dataset = editable_or_403(Dataset, request.user, public_id)
        dataset_delete(dataset=dataset, actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Publish the draft as the next version",
        request=PublishSerializer,
        responses={201: VersionSerializer},
    )
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, public_id: Any = None) -> Response:
        dataset = editable_or_403(Dataset, request.user, public_id)
        asked = PublishSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        split = asked.validated_data.get("split")
        version = dataset_publish(
            dataset=dataset,
            actor=request.user,
            notes=asked.validated_data["notes"],
            split=SplitRequest(**split) if split else None,
        )
        return Response(VersionSerializer(version).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Frames of the current contents that stand out",
        responses=OutlierSerializer(many=True),
    )
    @action(detail=True, pagination_class=None, filter_backends=[])
    def outliers(self, request: Request, public_id: Any = None) -> Response:
        dataset = visible_or_404(datasets_visible_to(request.user), public_id)
        found = outliers_find(Frame.objects.filter(dataset=dataset).current())
        return Response(OutlierSerializer(found, many=True).data)

    @extend_schema(
        summary="Frames of the current contents that answer the same question",
        responses=DuplicatesSerializer(many=True),
    )
    @action(detail=True, pagination_class=None, filter_backends=[])
    def duplicates(self, request: Request, public_id: Any = None) -> Response:
        dataset = visible_or_404(datasets_visible_to(request.user), public_id)
        found = duplicates_find(dataset_frames(dataset, None))
        return Response(DuplicatesSerializer(found, many=True).data)

    @extend_schema(
        summary="Map of the frames: each with its place",
        description="A figure; `customdata` holds the id of each point's frame.",
        parameters=[OpenApiParameter("colour", str, enum=list(Colour), description="By what.")],
        responses={200: OpenApiTypes.OBJECT},
    )
    @action(detail=True, url_path="map", url_name="map")
    def frame_map(self, request: Request, public_id: Any = None) -> Response:
        dataset = visible_or_404(datasets_visible_to(request.user), public_id)
        return Response(dataset_map_figure(dataset, None, request.query_params.get("colour")))

    @extend_schema(
        summary="Elements of the current frames: frames, atoms and forces",
        responses={200: OpenApiTypes.OBJECT},
    )
    @action(detail=True)
    def coverage(self, request: Request, public_id: Any = None) -> Response:
        dataset = visible_or_404(datasets_visible_to(request.user), public_id)
        return Response(coverage_to_json(coverage_of(dataset_frames(dataset, None))))

    @extend_schema(
        summary="Compare two versions",
        parameters=[
            OpenApiParameter("from", int, description="Number of a version."),
            OpenApiParameter("to", int, description="Number of a version; else the newest."),
        ],
        responses=ComparisonSerializer,
    )
    @action(detail=True)
    def compare(self, request: Request, public_id: Any = None) -> Response:
        dataset = visible_or_404(datasets_visible_to(request.user), public_id)
        versions = list(dataset.versions.order_by("-number"))
        found = versions_compare(*versions_to_compare(versions, request.query_params))
        return Response(ComparisonSerializer(found).data)

    @extend_schema(
        summary="Who did what to a dataset, for people of its lab",
        responses=EventSerializer(many=True),
    )
    @action(detail=True, filter_backends=[])
    def history(self, request: Request, public_id: Any = None) -> Response:
        dataset = visible_or_404(datasets_visible_to(request.user), public_id)
        page = self.paginate_queryset(dataset_history(request.user, dataset))
        return self.get_paginated_response(EventSerializer(page, many=True).data)

    @extend_schema(
        summary="Data-management plan as Markdown",
        responses={(200, "text/markdown"): OpenApiTypes.STR},
    )
    @action(detail=True)
    def plan(self, request: Request, public_id: Any = None) -> HttpResponseBase:
        dataset = visible_or_404(datasets_visible_to(request.user), public_id)
        return plan_response(request, dataset)

    @extend_schema(summary="Withdraw a dataset", request=WithdrawSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, public_id: Any = None) -> Response:
        dataset = editable_or_403(Dataset, request.user, public_id)
        asked = WithdrawSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        dataset_withdraw(dataset=dataset, actor=request.user, **asked.validated_data)
        dataset.refresh_from_db()
        return Response(self.get_serializer(dataset).data)

    @extend_schema(
        summary="Leave frames out of the draft",
        request=FrameIdsSerializer,
        responses={200: OpenApiTypes.OBJECT},
    )
    @action(detail=True, methods=["post"])
    def exclude(self, request: Request, public_id: Any = None) -> Response:
        dataset, frames = self._frames(request, public_id)
        count = frames_exclude(dataset=dataset, actor=request.user, frames=frames)
        return Response({"excluded": count})

    @extend_schema(
        summary="Take excluded frames back into the draft",
        request=FrameIdsSerializer,
        responses={200: OpenApiTypes.OBJECT},
    )
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, public_id: Any = None) -> Response:
        dataset, frames = self._frames(request, public_id)
        count = frames_restore(dataset=dataset, actor=request.user, frames=frames)
        return Response({"restored": count})

    def _frames(self, request: Request, public_id: Any) -> tuple[Dataset, Any]:
        dataset = editable_or_403(Dataset, request.user, public_id)
        asked = FrameIdsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        ids = asked.validated_data["frames"]
        return dataset, Frame.objects.filter(dataset=dataset, public_id__in=ids)

    @extend_schema(
        summary="Download the current frames of a dataset",
        parameters=[FORMAT, ENERGY],
        responses=FILE,
    )
    @action(detail=True, url_path="download/<str:file_format>")
    def download(
        self, request: Request, public_id: Any = None, file_format: str = ""
    ) -> HttpResponseBase:
        dataset = visible_or_404(datasets_visible_to(request.user), public_id)
        energy = request.query_params.get("energy", "free")
        version = settled(dataset.versions.all())
        if version is not None:
            return version_response(request, version, file_format, energy=energy)
        rows = Frame.objects.filter(dataset=dataset).current()
        return rows_response(rows, file_format, dataset.name, energy=energy)

    @extend_schema(
        summary="A plot of the dataset as JSON",
        parameters=[OpenApiParameter("name", str, OpenApiParameter.PATH, enum=list(PLOTS))],
        responses={200: OpenApiTypes.OBJECT},
    )
    @action(detail=True, url_path="plots/<str:name>")
    def plots(self, request: Request, public_id: Any = None, name: str = "") -> Response:
        dataset = visible_or_404(datasets_visible_to(request.user), public_id)
        if name not in PLOTS:
            raise NotFound
        rows = Frame.objects.filter(dataset=dataset).current()
        return Response(PLOTS[name].draw(rows, ""))


def _credited(
    given: dict[str, Any], dataset: Dataset | None = None
) -> tuple[dict[str, Any], Credits]:
    """Part what was sent into plain fields and credits; what wasn't sent stays as it is."""
    rest = dict(given)
    sent = rest.pop("authors", dataset.authors if dataset else [])
    funding = rest.pop("funding", dataset.funding if dataset else "")
    embargo = rest.pop("embargo_until", dataset.embargo_until if dataset else None)
    return rest, Credits(authors_from_json(sent), funding, embargo)

"""Frames over HTTP: the catalog with the page's filters."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.access import visible_or_404
from datasets.api.file_schema import ENERGY, FILE, FORMAT
from datasets.api.serializers import FrameDetailSerializer, FrameSerializer
from datasets.catalog import FRAME_ORDER, catalog_query, facets
from datasets.downloads import rows_response
from datasets.models import Frame
from datasets.selections import iterate_frames
from datasets.selectors import frames_visible_to
from datasets.viewer import viewer_payload
from mlmd.formats.atoms import frame_to_atoms


def _parameter(name: str, kind: Any, words: str, **options: Any) -> OpenApiParameter:
    return OpenApiParameter(name, kind, description=words, **options)


FILTERS = [
    _parameter("dataset", OpenApiTypes.UUID, "Only frames of this dataset."),
    _parameter("version", int, "Number of a version of that dataset; else the current frames."),
    _parameter("visibility", str, "Of the dataset.", enum=["private", "lab", "public"]),
    _parameter("elements", str, "Chemical symbols, for example `Si O`; may be repeated."),
    _parameter(
        "mode",
        str,
        "Whether all or any of the elements, or only they.",
        enum=["all", "any", "only"],
    ),
    _parameter("formula", str, "Hill formula of the cell, exact."),
    _parameter("atoms_min", int, "Fewest atoms."),
    _parameter("atoms_max", int, "Most atoms."),
    _parameter("energy_min", float, "Lowest energy, eV/atom."),
    _parameter("energy_max", float, "Highest energy, eV/atom."),
    _parameter("force_min", float, "Smallest largest force, eV/Å."),
    _parameter("force_max", float, "Largest force on an atom, eV/Å."),
    _parameter("above_min", float, "Lowest energy above the dataset's convex hull, eV/atom."),
    _parameter("above_max", float, "Highest energy above the dataset's convex hull, eV/atom."),
    _parameter("distance_min", float, "Least shortest distance, Å."),
    _parameter("distance_max", float, "Largest shortest distance, Å."),
    _parameter("pressure_min", float, "Lowest pressure, GPa."),
    _parameter("pressure_max", float, "Highest pressure, GPa."),
    _parameter("k_spacing_min", float, "Closest k-points, with 2π, Å⁻¹."),
    _parameter("k_spacing_max", float, "Farthest k-points, with 2π, Å⁻¹."),
    _parameter("cutoff_min", float, "Lowest plane-wave cutoff, eV."),
    _parameter("cutoff_max", float, "Highest plane-wave cutoff, eV."),
    _parameter("dispersion", str, "Exact, `none` for without; may be repeated."),
    _parameter("hubbard", str, "Whether with Hubbard U.", enum=["yes", "no"]),
    _parameter("spin", str, "Exact; may be repeated."),
    _parameter("run_type", str, "`static`, `relaxation`, `md`, `vibrations`; may be repeated."),
    _parameter("stress", str, "Whether there is a stress.", enum=["yes", "no"]),
    _parameter("licence", str, "SPDX identifier, `none` for not stated; may be repeated."),
    _parameter("lab", str, "Name of the dataset's lab; may be repeated."),
    _parameter("since", OpenApiTypes.DATE, "First day on which the frame was added."),
    _parameter("until", OpenApiTypes.DATE, "Last day."),
    _parameter("q", str, "Words of dataset, kind, formula or source file; all must be found."),
    _parameter("functional", str, "Exact; may be repeated."),
    _parameter("code", str, "Exact; may be repeated."),
    _parameter("kind", str, "Kind of configuration, exact; may be repeated."),
    _parameter("compat_key", str, "Level of theory, exact; may be repeated."),
    _parameter("label_source", str, "`ab initio`, `ml` or `none`."),
    _parameter(
        "split",
        str,
        "Part of the published split; may be repeated.",
        enum=["train", "validation", "test"],
    ),
    _parameter("converged", str, "SCF convergence.", enum=["yes", "no", "unknown"]),
    _parameter("identity", str, "Structure hash or label identity, to find duplicates."),
    _parameter(
        "region",
        str,
        "Part of the map of `dataset`: its drawing, then the corners of a polygon, "
        "`3~0.5,1~0.9,1~0.9,2`.",
    ),
]
SORT = _parameter("sort", str, "Order; a minus in front turns it around.", enum=list(FRAME_ORDER))


class FramePages(PageNumberPagination):
    """Pages with an exact count; any of them costs the same."""

    page_size_query_param = "page_size"
    max_page_size = 1000


@extend_schema_view(
    list=extend_schema(
        summary="Search frames",
        parameters=[*FILTERS, SORT],
        examples=[OpenApiExample("Silica below 5 eV/Å", value="?elements=Si O&force_max=5")],
    ),
    retrieve=extend_schema(
        summary="Show a frame with its document", responses={200: FrameDetailSerializer}
    ),
)
@extend_schema(tags=["frames"])
class FrameViewSet(viewsets.ReadOnlyModelViewSet):
    """Labelled configurations of every dataset that you can see."""

    queryset = Frame.objects.none()
    serializer_class = FrameSerializer
    pagination_class = FramePages
    filter_backends: list[Any] = []
    lookup_field = "public_id"
    lookup_value_converter = "uuid"

    def get_queryset(self) -> Any:
        user, query = self.request.user, self.request.query_params
        if self.action != "list":
            return frames_visible_to(user).select_related("dataset", "calculation", "copied_from")
        return catalog_query(user, query).rows(user, query.get("sort"))

    def get_serializer_class(self) -> Any:
        return FrameDetailSerializer if self.action == "retrieve" else FrameSerializer

    @extend_schema(
        summary="How often each word of the facets occurs among the frames found",
        parameters=FILTERS,
        responses={200: OpenApiTypes.OBJECT},
    )
    @action(detail=False)
    def facets(self, request: Request) -> Response:
        found = facets(catalog_query(request.user, request.query_params).rows(request.user))
        return Response(
            {name: {g.name: g.frames for g in groups} for name, groups in found.items()}
        )

    @extend_schema(
        operation_id="frames_download_all",
        summary="Download all frames that the filters find",
        parameters=[FORMAT, ENERGY, *FILTERS],
        responses=FILE,
    )
    @action(detail=False, url_path="download/<str:file_format>")
    def download_all(self, request: Request, file_format: str = "") -> HttpResponseBase:
        query, user = catalog_query(request.user, request.query_params), request.user
        energy = request.query_params.get("energy", "free")
        return rows_response(
            query.frames(user), file_format, "frames", energy=energy, found=query.rows(user)
        )

    @extend_schema(summary="Download a frame", parameters=[FORMAT, ENERGY], responses=FILE)
    @action(detail=True, url_path="download/<str:file_format>")
    def download(
        self, request: Request, public_id: Any = None, file_format: str = ""
    ) -> HttpResponseBase:
        row = visible_or_404(frames_visible_to(request.user), public_id)
        rows = Frame.objects.filter(pk=row.pk)
        energy = request.query_params.get("energy", "free")
        return rows_response(rows, file_format, f"{row.formula}-{row.pk}", energy=energy)

    @extend_schema(
        summary="Atoms and forces as the 3D view draws them", responses={200: OpenApiTypes.OBJECT}
    )
    @action(detail=True)
    def viewer(self, request: Request, public_id: Any = None) -> Response:
        row = visible_or_404(frames_visible_to(request.user), public_id)
        frame = next(iterate_frames(Frame.objects.filter(pk=row.pk)))
        return Response(
            viewer_payload(frame_to_atoms(frame), title=row.formula, forces=frame.forces)
        )

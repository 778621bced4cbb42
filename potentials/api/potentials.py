"""The API of the potential catalog."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from potentials.api.runs import CSV
from potentials.cards import archive_response, parity_csv_response
from potentials.models import Potential
from potentials.potential_forms import CatalogForm
from potentials.selectors import potentials_filtered, potentials_visible_to
from potentials.serializers import PotentialListSerializer, PotentialSerializer
from potentials.services.potentials import potential_delete, potential_update

BINARY = OpenApiResponse(OpenApiTypes.BINARY)


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

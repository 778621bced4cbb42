"""The API by which the versions of one name are listed, with what changed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, views
from rest_framework.request import Request
from rest_framework.response import Response

from potentials.selectors import potentials_visible_to
from potentials.serializers import PotentialListSerializer
from potentials.versions import versions_of


class PotentialChangeSerializer(serializers.Serializer):
    """One thing that differs from the version before."""

    what = serializers.CharField()
    before = serializers.CharField(help_text="empty where there was none")
    after = serializers.CharField()


class PotentialVersionSerializer(serializers.Serializer):
    """One version of a name."""

    potential = PotentialListSerializer()
    is_newest = serializers.BooleanField()
    changes = PotentialChangeSerializer(many=True, help_text="against the version before")


class PotentialVersionsView(views.APIView):
    """The versions of one name."""

    @extend_schema(
        operation_id="potentials_versions",
        summary="The versions of a potential's name, newest first, with what changed",
        responses=PotentialVersionSerializer(many=True),
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        row: Any = get_object_or_404(potentials_visible_to(request.user), public_id=public_id)
        listed = PotentialVersionSerializer(
            versions_of(row, request.user), many=True, context={"request": request}
        )
        return Response(listed.data)

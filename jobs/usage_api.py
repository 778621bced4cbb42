"""Usage and limits over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.limits import Standing, limit_set, standings
from jobs.models import Limit
from jobs.selectors import clusters_visible_to
from jobs.storage import storage_of
from jobs.usage import UsageFilter, UsageRow, usage_rows, usage_totals, usage_visible_to
from labs.exceptions import Refused
from labs.models import Lab
from labs.selectors import labs_of


class UsageRowSerializer(serializers.Serializer[UsageRow]):
    month = serializers.DateField(help_text="its first day")
    cluster = serializers.CharField()
    person = serializers.CharField()
    runs = serializers.IntegerField(help_text="attempts that ended")
    node_hours = serializers.FloatField()
    core_hours = serializers.FloatField()
    gpu_hours = serializers.FloatField()


class StorageSerializer(serializers.Serializer[Any]):
    what = serializers.CharField()
    bytes = serializers.IntegerField()


class StandingSerializer(serializers.Serializer[Standing]):
    what = serializers.CharField(source="limit.what")
    cluster = serializers.UUIDField(source="limit.cluster.public_id", default=None, allow_null=True)
    amount = serializers.FloatField(source="limit.amount")
    used = serializers.FloatField()


class UsageAnswerSerializer(serializers.Serializer[Any]):
    lab = serializers.UUIDField()
    rows = UsageRowSerializer(many=True)
    totals = serializers.DictField(child=serializers.FloatField())
    storage = StorageSerializer(many=True)
    limits = StandingSerializer(many=True)


class UsageQuerySerializer(serializers.Serializer[Any]):
    lab = serializers.UUIDField(default=None, help_text="your first lab without it")
    since = serializers.DateField(default=None, help_text="first month")
    cluster = serializers.CharField(default="", help_text="its name")
    person = serializers.CharField(default="", help_text="in the name")


class LimitSerializer(serializers.Serializer[Any]):
    lab = serializers.UUIDField(required=False, help_text="None: the only lab you belong to.")
    what = serializers.ChoiceField(Limit.What.choices)
    cluster = serializers.UUIDField(required=False, allow_null=True, default=None)
    amount = serializers.FloatField(
        allow_null=True, help_text="runs, node-hours or GB; null takes the limit away"
    )


class UsageView(APIView):
    """What a lab used and may use; members see their own part, managers all of it."""

    @extend_schema(
        summary="Sum what a lab used, by month, cluster and person",
        parameters=[UsageQuerySerializer],
        responses=UsageAnswerSerializer,
    )
    def get(self, request: Request) -> Response:
        asked = UsageQuerySerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        values = dict(asked.validated_data)
        lab = _lab(request, values.pop("lab"))
        narrow = UsageFilter(**values)
        rows = usage_rows(usage_visible_to(request.user, lab), narrow)
        answer = {
            "lab": lab.public_id,
            "rows": rows,
            "totals": usage_totals(rows),
            "storage": [{"what": title, "bytes": size} for title, size in storage_of(lab)],
            "limits": standings(lab),
        }
        return Response(UsageAnswerSerializer(answer).data)


class LimitView(APIView):
    """The limits of a lab, set by its managers."""

    @extend_schema(
        summary="Set what a lab may use, or take a limit away",
        request=LimitSerializer,
        responses=StandingSerializer(many=True),
    )
    def put(self, request: Request) -> Response:
        asked = LimitSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        lab = _lab(request, values.get("lab"))
        cluster = None
        if values["cluster"]:
            cluster = clusters_visible_to(request.user).filter(public_id=values["cluster"]).first()
            if cluster is None:
                raise Refused(_("The cluster doesn't exist or isn't visible to you."))
        limit_set(
            lab=lab,
            actor=request.user,
            what=values["what"],
            amount=values["amount"],
            cluster=cluster,
        )
        return Response(StandingSerializer(standings(lab), many=True).data)


def _lab(request: Request, wanted: Any) -> Lab:
    labs = labs_of(request.user)
    if wanted:
        labs = labs.filter(public_id=wanted)
    found = labs.first()
    if found is None:
        raise Http404(_("You belong to no such lab."))
    return found

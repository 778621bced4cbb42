"""Clusters over HTTP: list them; as a lab's manager, register, connect and change them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import registration
from jobs.accounts import OwnAccount, account_close, account_open
from jobs.models import Cluster
from jobs.registration import ClusterSettings
from jobs.selectors import clusters_known_to, clusters_managed_by, clusters_visible_to
from jobs.serializers import (
    ClusterSerializer,
    ClusterSettingsSerializer,
    ClusterStateSerializer,
    CredentialSerializer,
    HostKeySerializer,
    NewClusterSerializer,
    OwnAccountSerializer,
)
from labs.selectors import labs_of

_EXAMPLE = OpenApiExample(
    "A Slurm cluster",
    value={
        "lab": "6d2f7f9e-1c3f-4c4e-9a55-0f4dd6b6a001",
        "name": "Lab cluster",
        "host": "login.cluster.example",
        "login": "portal",
        "scheduler": "slurm",
        "work_dir": "/group/glass/portal",
        "queues": "short nodes=4 cores=32 hours=2",
        "recipes": "mlmd = /group/glass/venv/bin/python -m mlmd",
    },
    request_only=True,
)


_ACCOUNT = {"login": "x00000", "work_dir": "/group/gx00/x00000/portal", "account": "gx00"}


class ClusterViewSet(viewsets.ReadOnlyModelViewSet[Cluster]):
    """Clusters that take runs."""

    serializer_class = ClusterSerializer
    lookup_field = "public_id"
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Cluster]:
        if getattr(self, "swagger_fake_view", False):
            return Cluster.objects.none()
        if self.action == "list":
            return clusters_visible_to(self.request.user)
        return clusters_known_to(self.request.user).select_related("shared")

    @extend_schema(summary="List clusters")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @extend_schema(summary="Show a cluster")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(
        summary="Register a cluster for a lab that you manage",
        request=NewClusterSerializer,
        responses={201: ClusterStateSerializer},
        examples=[_EXAMPLE],
    )
    def create(self, request: Request) -> Response:
        given = NewClusterSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        values = dict(given.validated_data)
        lab = get_object_or_404(labs_of(request.user), public_id=values.pop("lab"))
        cluster = registration.cluster_create(
            owner=request.user, lab=lab, settings=ClusterSettings(**values)
        )
        registration.probe_ask(cluster=cluster, actor=request.user)
        return self._state(cluster, status.HTTP_201_CREATED)

    @extend_schema(
        summary="Change a cluster's settings",
        request=ClusterSettingsSerializer(partial=True),
        responses=ClusterStateSerializer,
    )
    def partial_update(self, request: Request, public_id: Any = None) -> Response:
        cluster = self._managed()
        given = ClusterSettingsSerializer(data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        values = {**asdict(registration.settings_of(cluster)), **given.validated_data}
        registration.cluster_update(
            cluster=cluster, actor=request.user, settings=ClusterSettings(**values)
        )
        return self._state(cluster)

    @extend_schema(summary="Show how a cluster is reached", responses=ClusterStateSerializer)
    @action(detail=True, methods=["get"])
    def state(self, request: Request, public_id: Any = None) -> Response:
        return self._state(self._managed())

    @extend_schema(
        summary="Probe a cluster; its state has the answer soon",
        request=None,
        responses={202: ClusterStateSerializer},
    )
    @action(detail=True, methods=["post"])
    def probe(self, request: Request, public_id: Any = None) -> Response:
        cluster = self._managed()
        registration.probe_ask(cluster=cluster, actor=request.user)
        return self._state(cluster, status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="Store a key, password or one-time code, or make a new key",
        request=CredentialSerializer,
        responses=ClusterStateSerializer,
    )
    @action(detail=True, methods=["post"])
    def credential(self, request: Request, public_id: Any = None) -> Response:
        cluster = self._managed()
        given = CredentialSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        registration.credential_set(cluster=cluster, actor=request.user, **given.validated_data)
        return self._state(cluster)

    @extend_schema(
        summary="Confirm a host key",
        request=HostKeySerializer,
        responses=ClusterStateSerializer,
    )
    @action(detail=True, methods=["post"], url_path="host-key")
    def host_key(self, request: Request, public_id: Any = None) -> Response:
        cluster = self._managed()
        given = HostKeySerializer(data=request.data)
        given.is_valid(raise_exception=True)
        registration.host_key_confirm(
            cluster=cluster,
            actor=request.user,
            place=given.validated_data["place"],
            shown=given.validated_data["fingerprint"],
        )
        return self._state(cluster)

    @extend_schema(
        summary="Let your runs on a cluster go under an account of your own",
        description="The answer holds the public key to install and the id of the account's entry.",
        request=OwnAccountSerializer,
        responses={201: ClusterStateSerializer},
        examples=[OpenApiExample("An account", value=_ACCOUNT, request_only=True)],
    )
    @action(detail=True, methods=["post"])
    def account(self, request: Request, public_id: Any = None) -> Response:
        given = OwnAccountSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        entry = account_open(
            cluster=self.get_object(), actor=request.user, own=OwnAccount(**given.validated_data)
        )
        registration.probe_ask(cluster=entry, actor=request.user)
        return self._state(entry, status.HTTP_201_CREATED)

    @extend_schema(summary="Let your runs go under the lab's account again", responses={204: None})
    @account.mapping.delete
    def account_given_up(self, request: Request, public_id: Any = None) -> Response:
        account_close(cluster=self.get_object(), actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _managed(self) -> Cluster:
        cluster: Cluster = self.get_object()
        if not clusters_managed_by(self.request.user).filter(pk=cluster.pk).exists():
            raise PermissionDenied(_("Only managers of its lab set up a cluster."))
        return cluster

    def _state(self, cluster: Cluster, code: int = status.HTTP_200_OK) -> Response:
        cluster.refresh_from_db()
        return Response(ClusterStateSerializer(cluster).data, status=code)

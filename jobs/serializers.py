"""What the API says about jobs and clusters."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from jobs.accounts import OwnAccount
from jobs.clusters import cores_of, recipes_of
from jobs.files import SiteFile, file_list
from jobs.keys import fingerprint
from jobs.models import Cluster, Credential, Job, JobMove
from jobs.registration import ClusterSettings
from jobs.resources import Asked
from jobs.script_preview import ScriptPreview


class JobMoveSerializer(serializers.ModelSerializer[JobMove]):
    actor = serializers.SerializerMethodField()

    class Meta:
        model = JobMove
        fields = ["attempt", "origin", "target", "reason", "actor", "at"]

    def get_actor(self, move: JobMove) -> str:
        return str(move.actor) if move.actor_id else ""


class JobSerializer(serializers.ModelSerializer[Job]):
    """A job as lists show it."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    owner = serializers.CharField(source="owner.name", read_only=True)
    lab = serializers.CharField(source="lab.name", read_only=True)
    cluster = serializers.CharField(source="cluster.name", read_only=True)
    state_label = serializers.CharField(source="get_state_display", read_only=True)
    url = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = [
            "id",
            "title",
            "kind",
            "state",
            "state_label",
            "reason",
            "queue_reason",
            "progress",
            "cluster",
            "owner",
            "lab",
            "visibility",
            "attempt",
            "exit_code",
            "created_at",
            "started_at",
            "ended_at",
            "url",
        ]

    def get_url(self, job: Job) -> str:
        return reverse("api:job-detail", [job.public_id], request=self.context.get("request"))


class JobDetailSerializer(JobSerializer):
    """A job with what it was asked to do and what happened to it."""

    parent = serializers.UUIDField(source="parent.public_id", default=None, read_only=True)
    history = JobMoveSerializer(source="moves", many=True, read_only=True)

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "resources", "spec", "parent", "log_tail", "history"]


class JobFileSerializer(serializers.Serializer[SiteFile]):
    path = serializers.CharField()
    size = serializers.IntegerField(help_text="bytes")
    sha256 = serializers.CharField(help_text="hex digest; empty while the run goes on")
    url = serializers.SerializerMethodField()

    def get_url(self, file: SiteFile) -> str:
        job, request = self.context["job"], self.context.get("request")
        return reverse("api:job-file", [job.public_id, file.path], request=request)


def files_of(job: Job, request: Any) -> Any:
    """Return the job's files as the API lists them."""
    context = {"job": job, "request": request}
    return JobFileSerializer(file_list(job), many=True, context=context).data


class ContinueSerializer(serializers.Serializer[Any]):
    walltime_s = serializers.IntegerField(
        required=False, min_value=1, help_text="time limit of the next attempt; none: as before"
    )


class AskedSerializer(serializers.Serializer[Asked]):
    """Resources for experts; what is left out is chosen by the portal."""

    nodes = serializers.IntegerField(required=False, min_value=1)
    processes = serializers.IntegerField(required=False, min_value=1, help_text="of MPI, a node")
    threads = serializers.IntegerField(required=False, min_value=1, help_text="of a process")
    gpus = serializers.IntegerField(required=False, min_value=0, help_text="of a node")
    memory_mb = serializers.IntegerField(required=False, min_value=1, help_text="of a node")
    walltime_s = serializers.IntegerField(required=False, min_value=60)
    queue = serializers.CharField(required=False, max_length=80)
    account = serializers.CharField(required=False, max_length=80)
    continuations = serializers.IntegerField(
        required=False, max_value=100, min_value=0, help_text="after the time limit, by itself"
    )


class ScriptPreviewSerializer(serializers.Serializer[ScriptPreview]):
    """What would be handed over to the cluster."""

    sentence = serializers.CharField(help_text="what is asked of the cluster, in words")
    queue = serializers.CharField(help_text="empty where the cluster lists none")
    script = serializers.CharField(help_text="with noughts for the run's number and folder")


class JobLogSerializer(serializers.Serializer[Any]):
    log = serializers.CharField(help_text="the end of the log, whole lines")


class ClusterSerializer(serializers.ModelSerializer[Cluster]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    cores = serializers.SerializerMethodField()
    codes = serializers.SerializerMethodField()

    class Meta:
        model = Cluster
        fields = [
            "id",
            "name",
            "description",
            "transport",
            "scheduler",
            "is_builtin",
            "is_active",
            "cores",
            "codes",
            "trouble",
            "contacted_at",
            "host",
            "queues",
            "reconnect_reason",
        ]

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_cores(self, cluster: Cluster) -> int | None:
        return cores_of(cluster)

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_codes(self, cluster: Cluster) -> list[str]:
        return sorted(recipes_of(cluster))


class ClusterSettingsSerializer(serializers.Serializer[ClusterSettings]):
    """What a manager says about a cluster; lines are read as on the page."""

    name = serializers.CharField(max_length=80)
    host = serializers.CharField(max_length=200)
    login = serializers.CharField(max_length=80)
    scheduler = serializers.ChoiceField(choices=["slurm", "pbs", "pjm", "direct"])
    work_dir = serializers.CharField(max_length=400)
    description = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    port = serializers.IntegerField(required=False)
    jump_hosts = serializers.CharField(required=False, allow_blank=True, max_length=400)
    account = serializers.CharField(required=False, allow_blank=True, max_length=80)
    queues = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=8000,
        help_text="`name nodes=24 hours=8` a line",
    )
    recipes = serializers.CharField(
        required=False, allow_blank=True, max_length=8000, help_text="`code = command` a line"
    )
    setup = serializers.CharField(required=False, allow_blank=True, max_length=4000)
    container = serializers.ChoiceField(
        required=False, choices=["apptainer", "singularity", "none"]
    )
    binds = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=2000,
        help_text="Folders that containers see, one a line.",
    )
    mpi = serializers.CharField(
        required=False, max_length=400, help_text="`srun --mpi=pmix -n {processes}`"
    )
    directives = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    cores = serializers.IntegerField(required=False, allow_null=True, min_value=1)
    poll_interval_s = serializers.FloatField(required=False)
    is_active = serializers.BooleanField(required=False)


class OwnAccountSerializer(serializers.Serializer[OwnAccount]):
    """A person's own account on a cluster of the lab."""

    login = serializers.CharField(max_length=80)
    work_dir = serializers.CharField(max_length=400)
    account = serializers.CharField(required=False, allow_blank=True, max_length=80)


class NewClusterSerializer(ClusterSettingsSerializer):
    lab = serializers.UUIDField(help_text="Identifier of a lab that you manage.")


class ClusterStateSerializer(serializers.ModelSerializer[Cluster]):
    """How a cluster is reached, for the managers of its lab; no secret is ever in it."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    public_key = serializers.SerializerMethodField(help_text="To install on the cluster.")
    host_keys = serializers.SerializerMethodField(
        help_text="SHA-256 fingerprints that the hosts showed at the last probe."
    )
    checks = serializers.SerializerMethodField(help_text="What the last probe found.")

    class Meta:
        model = Cluster
        fields = [
            "id",
            "name",
            "reconnect_reason",
            "public_key",
            "host_keys",
            "checks",
            "probed_at",
        ]

    def get_public_key(self, cluster: Cluster) -> str:
        credential = Credential.objects.filter(cluster=cluster).first()
        return credential.public_key if credential else ""

    def get_host_keys(self, cluster: Cluster) -> dict[str, str]:
        keys = cluster.probe.get("host_keys", {})
        return {place: fingerprint(line) for place, line in keys.items()}

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_checks(self, cluster: Cluster) -> list[dict[str, Any]]:
        return list(cluster.probe.get("checks", ()))


class CredentialSerializer(serializers.Serializer[Any]):
    """A key, password or code; no call gives it back."""

    method = serializers.ChoiceField(choices=["generate", "key", "password", "code"])
    secret = serializers.CharField(
        required=False, write_only=True, max_length=20_000, trim_whitespace=False
    )
    passphrase = serializers.CharField(
        required=False, write_only=True, max_length=400, trim_whitespace=False
    )


class HostKeySerializer(serializers.Serializer[Any]):
    place = serializers.CharField(help_text="`host:port`")
    fingerprint = serializers.CharField(help_text="as the probe showed it")

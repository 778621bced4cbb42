"""Filters of the list of runs, and the few things that can be changed about a run."""

from __future__ import annotations

import shlex
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from jobs.batches import batches_visible_to
from jobs.containers import USUAL_LAUNCHER
from jobs.kinds import kinds
from jobs.registration import ClusterSettings
from jobs.selectors import JobFilter, clusters_visible_to
from jobs.states import State

MOST_BATCHES = 50  # offered by the list's filter


class JobFilterForm(forms.Form):
    """The filters of the list; they live in the address of the page."""

    q = forms.CharField(label=_("Title"), required=False, max_length=200)
    state = forms.ChoiceField(label=_("State"), required=False)
    kind = forms.ChoiceField(label=_("Kind"), required=False)
    owner = forms.CharField(label=_("Owner"), required=False, max_length=120)
    cluster = forms.ChoiceField(
        label=_("Cluster"), required=False, widget=forms.Select(attrs={"data-expert": "1"})
    )
    batch: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        label=_("Batch"),
        queryset=None,
        required=False,
        to_field_name="public_id",
        empty_label=_("all"),
        widget=forms.Select(attrs={"data-expert": "1"}),
    )

    def __init__(self, *args: Any, user: Any, **extra: Any) -> None:
        super().__init__(*args, **extra)
        self.fields["q"].widget.input_type = "search"
        self.fields["state"].choices = [  # type: ignore[attr-defined]
            ("", _("all")),
            ("active", _("on its way")),
            ("finished", _("finished")),
            *State.choices,
        ]
        self.fields["kind"].choices = [  # type: ignore[attr-defined]
            ("", _("all")),
            *((kind.name, kind.title) for kind in kinds()),
        ]
        self.fields["batch"].queryset = batches_visible_to(user)  # type: ignore[attr-defined]
        self.fields["batch"].iterator = _Recent  # type: ignore[attr-defined]
        names = [(cluster.name, cluster.name) for cluster in clusters_visible_to(user)]
        self.fields["cluster"].choices = [("", _("all")), *names]  # type: ignore[attr-defined]

    def narrow(self, order: str) -> JobFilter:
        """Return what was asked for; fields that make no sense narrow nothing."""
        self.is_valid()
        data = self.cleaned_data
        return JobFilter(
            text=data.get("q", "").strip(),
            state=data.get("state", ""),
            kind=data.get("kind", ""),
            owner=data.get("owner", "").strip(),
            cluster=data.get("cluster", ""),
            batch=str(data["batch"].public_id) if data.get("batch") else "",
            order=order,
        )


class _Recent(forms.models.ModelChoiceIterator):  # type: ignore[type-arg]
    """Offers the newest batches; every visible one is still accepted."""

    def __iter__(self) -> Any:
        yield ("", self.field.empty_label)
        for batch in self.queryset[:MOST_BATCHES]:
            yield self.choice(batch)


class TitleForm(forms.Form):
    title = forms.CharField(label=_("Title"), max_length=200)


_LINES = {"rows": 3, "spellcheck": "false"}
_EXPERT = {"data-expert": "1"}


class ClusterForm(forms.Form):
    """What a manager says about a cluster; the service reads and checks it."""

    name = forms.CharField(label=_("Name"), max_length=80)
    host = forms.CharField(
        label=_("Host"), max_length=200, help_text=_("The login node, as you give it to ssh.")
    )
    login = forms.CharField(
        label=_("Account"),
        max_length=80,
        help_text=_("The lab's runs go under this account, but for people who add their own."),
    )
    scheduler = forms.ChoiceField(
        label=_("Scheduler"),
        choices=[
            ("slurm", "Slurm"),
            ("pbs", "PBS"),
            ("pjm", "Fujitsu PJM"),
            ("direct", _("none: runs start at once")),
        ],
    )
    work_dir = forms.CharField(
        label=_("Work folder"),
        max_length=400,
        help_text=_("Absolute, seen by the compute nodes: on Wisteria below /work, not /home."),
    )
    account = forms.CharField(
        label=_("Group or project"),
        max_length=80,
        required=False,
        help_text=_("Who pays: -g of PJM, --account of Slurm, -A of PBS."),
    )
    queues = forms.CharField(
        label=_("Queues"),
        required=False,
        max_length=8000,
        widget=forms.Textarea(attrs=_LINES),
        help_text=_(
            "One a line with its limits: “short nodes=24 cores=48 memory=28 hours=8”, memory in "
            "GiB a node. A run takes the "
            "first that it fits in."
        ),
    )
    recipes = forms.CharField(
        label=_("Codes"),
        required=False,
        max_length=8000,
        widget=forms.Textarea(attrs=_LINES),
        help_text=_(
            "How each starts there, one a line: “mlmd = /group/gx00/venv/bin/python -m mlmd”, or in "
            "a container: “mlmd @ /group/gx00/mlmd.sif = mlmd”."
        ),
    )
    setup = forms.CharField(
        label=_("Lines before every program"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs=_LINES),
        help_text=_("Shell lines, for example “module load odyssey”."),
    )
    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2, **_EXPERT}),
    )
    port = forms.IntegerField(
        label=_("Port"), initial=22, widget=forms.NumberInput(attrs=dict(_EXPERT))
    )
    jump_hosts = forms.CharField(
        label=_("Jump hosts"),
        required=False,
        max_length=400,
        widget=forms.TextInput(attrs=dict(_EXPERT)),
        help_text=_("In the order in which they are passed: “user@gate:22, user@inner”."),
    )
    container = forms.ChoiceField(
        label=_("Container runtime"),
        choices=[
            ("apptainer", "Apptainer"),
            ("singularity", "Singularity"),
            ("none", _("none")),
        ],
        initial="none",
        widget=forms.Select(attrs=dict(_EXPERT)),
    )
    binds = forms.CharField(
        label=_("Folders that containers see"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={**_LINES, **_EXPERT}),
        help_text=_("One a line, beside the work folder."),
    )
    mpi = forms.CharField(
        label=_("How MPI programs start"),
        required=False,
        max_length=400,
        initial=shlex.join(USUAL_LAUNCHER),
        widget=forms.TextInput(attrs=dict(_EXPERT)),
        help_text=_(
            "In front of the program or its container, for example “srun --mpi=pmix -n "
            "{processes}”; also {per_node}, {nodes} and {threads}."
        ),
    )
    directives = forms.CharField(
        label=_("Further options of the scheduler"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={**_LINES, **_EXPERT}),
        help_text=_("One a line, for example “-L jobenv=singularity”."),
    )
    cores = forms.IntegerField(
        label=_("Cores in use at most"),
        required=False,
        min_value=1,
        widget=forms.NumberInput(attrs=dict(_EXPERT)),
        help_text=_("Needed without a scheduler; empty: the scheduler knows."),
    )
    poll_interval_s = forms.FloatField(
        label=_("Time between two looks"),
        initial=10,
        min_value=2,
        max_value=3600,
        widget=forms.NumberInput(attrs={**_EXPERT, "data-unit": "s", "step": "any"}),
    )
    is_active = forms.BooleanField(
        label=_("Takes new runs"),
        required=False,
        initial=True,
        widget=forms.CheckboxInput(attrs=dict(_EXPERT)),
    )

    @property
    def settings(self) -> ClusterSettings:
        """The valid form's settings."""
        values = dict(self.cleaned_data)
        values["mpi"] = values["mpi"] or shlex.join(USUAL_LAUNCHER)
        return ClusterSettings(**values)


class AccountForm(forms.Form):
    """A person's own account on a cluster of the lab."""

    login = forms.CharField(label=_("Your account there"), max_length=80)
    work_dir = forms.CharField(
        label=_("Your work folder"),
        max_length=400,
        help_text=_("Absolute, seen by the compute nodes; each run gets a folder in it."),
    )
    account = forms.CharField(
        label=_("Group or project"),
        max_length=80,
        required=False,
        help_text=_("Who pays; empty: the lab's."),
    )


class CredentialForm(forms.Form):
    """A key, password or code; never shown again."""

    method = forms.ChoiceField(
        choices=[(word, word) for word in ("generate", "key", "password", "code")]
    )
    secret = forms.CharField(required=False, max_length=20_000, strip=False)
    passphrase = forms.CharField(required=False, max_length=400, strip=False)

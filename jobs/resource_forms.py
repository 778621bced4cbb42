"""Expert fields of forms that start runs: what to ask of the cluster."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from jobs.models import Cluster
from jobs.resources import Asked
from jobs.script_preview import fits
from labs.exceptions import Refused
from mlmd.launch import Resources

EXPERT = {"data-expert": "true"}
ALL = ("hours", "memory", "nodes", "gpus", "queue", "account", "continuations")


def _number(unit: str = "", step: str = "1") -> forms.NumberInput:
    return forms.NumberInput({**EXPERT, "step": step, **({"data-unit": unit} if unit else {})})


def resource_fields(names: Collection[str] = ALL) -> dict[str, forms.Field]:
    """Return the fields of these names; all of them may stay empty."""
    made: dict[str, forms.Field] = {
        "hours": forms.FloatField(
            label=_("Time limit"),
            required=False,
            min_value=0.01,
            max_value=10_000,
            help_text=_("Empty: six times the estimate, and half an hour at least."),
            widget=_number("h", "any"),
        ),
        "memory": forms.FloatField(
            label=_("Memory of a node"),
            required=False,
            min_value=0.1,
            max_value=100_000,
            help_text=_("Empty: as the portal estimates, or as the queue gives."),
            widget=_number("GiB", "any"),
        ),
        "nodes": forms.IntegerField(
            label=_("Nodes"),
            required=False,
            min_value=1,
            max_value=100_000,
            help_text=_("Empty: one."),
            widget=_number(),
        ),
        "threads": forms.IntegerField(
            label=_("Threads of a process"),
            required=False,
            min_value=1,
            max_value=1024,
            help_text=_("Empty: one."),
            widget=_number(),
        ),
        "gpus": forms.IntegerField(
            label=_("GPUs"),
            required=False,
            min_value=0,
            max_value=64,
            help_text=_("Of a node, for queues that want them asked for; empty: none."),
            widget=_number(),
        ),
        "queue": forms.CharField(
            label=_("Queue"),
            required=False,
            max_length=80,
            help_text=_("Partition or resource group; empty: the first that the run fits in."),
            widget=forms.TextInput({**EXPERT, "spellcheck": "false"}),
        ),
        "account": forms.CharField(
            label=_("Group or project"),
            required=False,
            max_length=80,
            help_text=_("That pays; empty: the cluster's usual one."),
            widget=forms.TextInput({**EXPERT, "spellcheck": "false"}),
        ),
        "continuations": forms.IntegerField(
            label=_("Go on by itself"),
            required=False,
            min_value=0,
            max_value=100,
            help_text=_("How often, from the checkpoint, after the time limit; empty: never."),
            widget=_number(),
        ),
    }
    return {name: made[name] for name in names}


def asked_of(cleaned: Mapping[str, Any], names: Collection[str] = ALL) -> Asked:
    """Return what a valid form asks for beside the usual.

    Args:
        cleaned: its data.
        names: of the fields that are from here; forms have fields of the same name of their own.
    """
    cleaned = {name: cleaned.get(name) for name in names}
    hours, memory = cleaned.get("hours"), cleaned.get("memory")
    return Asked(
        nodes=cleaned.get("nodes"),
        threads=cleaned.get("threads"),
        gpus=cleaned.get("gpus"),
        memory_mb=round(memory * 1024) if memory else None,
        walltime_s=max(60, round(hours * 3600)) if hours else None,
        queue=cleaned.get("queue") or "",
        account=cleaned.get("account") or "",
        continuations=cleaned.get("continuations") or 0,
    )


def check_fits(
    form: forms.Form, cluster: Cluster | None, usual: Resources, names: Collection[str] = ALL
) -> None:
    """Note on a form what doesn't fit the cluster's queues, in words.

    Args:
        form: while it is cleaned.
        cluster: that was chosen, None when the choice is wrong.
        usual: what the run asks for where the form says nothing.
        names: of the fields that are from here.
    """
    if cluster is None:
        return
    try:
        fits(cluster, asked_of(form.cleaned_data, names).over(usual))
    except Refused as refusal:
        form.add_error("queue" if form.cleaned_data.get("queue") else None, str(refusal))


def resource_initial(resources: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the fields start with when a run is cloned: what was asked of the cluster."""
    return {name: resources.get(name) or None for name in ("queue", "account", "gpus")} | {
        "nodes": resources.get("nodes") if resources.get("nodes", 1) > 1 else None
    }

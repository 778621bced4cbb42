"""The kind of job that DFT runs are."""

from __future__ import annotations

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from datasets.dft.services import KIND, dft_accept, dft_prepare, dft_salvage
from jobs.kinds import JobKind, register
from jobs.models import Job


def register_dft() -> None:
    """Tell the job machine how to prepare and accept DFT runs."""
    register(
        JobKind(
            name=KIND,
            title=_("DFT"),
            prepare=dft_prepare,
            accept=dft_accept,
            salvage=dft_salvage,
            url=_page,
            clone_url=_again,
        )
    )


def _page(job: Job) -> str:
    return reverse("datasets:dft", args=[job.public_id])


def _again(job: Job) -> str:
    chosen = "&".join(
        [
            f"code={job.spec.get('code', 'espresso')}",
            *(f"structure={entry['id']}" for entry in job.spec.get("structures", ())),
        ]
    )
    return f"{reverse('datasets:dft-new')}?{chosen}"

"""Celery tasks of teacher data: each fetches by key and calls one service."""

from celery import shared_task

from datasets.services import upload_parse, uploads_waiting
from datasets.services.documents import documents_sweep
from datasets.services.planner import planner_refresh
from datasets.services.surveys import SURVEY_TASK, dataset_survey, surveys_waiting
from datasets.services.uploads import PARSE_TASK
from jobs.nudge import nudge


@shared_task(name=PARSE_TASK)
def parse_upload(upload_id: int) -> None:
    """WAITING (or PARSING with an expired lease) → ACCEPTED, REFUSED or FAILED."""
    upload_parse(upload_id=upload_id)


@shared_task(name="datasets.tasks.sweep")
def sweep() -> None:
    """Wake workers for uploads that still wait (lost messages, killed workers) and for surveys."""
    for upload_id in uploads_waiting():
        nudge(PARSE_TASK, upload_id)
    for dataset_id in surveys_waiting():
        nudge(SURVEY_TASK, dataset_id)


@shared_task(name=SURVEY_TASK)
def survey_dataset(dataset_id: int) -> None:
    """A dataset whose frames changed → one whose hull, elements and map are current."""
    dataset_survey(dataset_id=dataset_id)


@shared_task(name="datasets.tasks.sweep_documents")
def sweep_documents() -> None:
    """Remove documents that no row refers to."""
    documents_sweep()


@shared_task(name="datasets.tasks.refresh_planner")
def refresh_planner() -> None:
    """Keep searches over many frames quick as their number grows."""
    planner_refresh()

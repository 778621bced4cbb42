"""Celery tasks of teacher data: each fetches by key and calls one service."""

from celery import shared_task

from datasets.services import upload_parse, uploads_waiting


@shared_task(name="datasets.tasks.parse_upload")
def parse_upload(upload_id: int) -> None:
    """WAITING (or PARSING with an expired lease) → ACCEPTED, REFUSED or FAILED."""
    upload_parse(upload_id=upload_id)


@shared_task(name="datasets.tasks.sweep")
def sweep() -> None:
    """Read what still waits: lost messages, killed workers."""
    for upload_id in uploads_waiting():
        parse_upload.delay(upload_id)

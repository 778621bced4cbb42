"""Celery tasks of the job machine: each fetches by key and calls one service."""

from __future__ import annotations

from celery import shared_task

from jobs import notices, probing, stepping, sweeping, tending


@shared_task(ignore_result=True)
def sweep() -> None:
    """Wake workers for whatever waits; entry and exit states: none."""
    sweeping.sweep()


@shared_task(ignore_result=True)
def step(job_pk: int) -> None:
    """Entry CREATED, ENDED, FETCHED or BLOCKED; exit the next state that waits for something."""
    stepping.work(job_pk)


@shared_task(ignore_result=True)
def tend(cluster_pk: int) -> None:
    """Entry STAGED, SUBMITTED, RUNNING or CANCELLING; exit what the cluster says."""
    tending.tend(cluster_pk)


@shared_task(ignore_result=True)
def probe(cluster_pk: int) -> None:
    """Entry and exit states: none; notes what a registered cluster is like."""
    probing.probe(cluster_pk)


@shared_task(ignore_result=True)
def mail() -> None:
    """Entry and exit states: none; mails the notices that are due."""
    notices.send_due_mail()
    notices.forget_read()

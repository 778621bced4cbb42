"""Celery tasks of the job machine: each fetches by key and calls one service."""

"""Celery tasks of teacher data: each fetches by key and calls one service."""

"""Settings, root URLs, the Celery app, the home page and the one-command server; no science."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]

"""The Celery app: messages are nudges, the database rows are the truth."""

import os

from celery import Celery

from portal import folder_broker

folder_broker.install()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

"""The portal's Celery app under the settings of the faults tests."""

import os

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.faults.site_settings"

from portal.celery import app

__all__ = ["app"]

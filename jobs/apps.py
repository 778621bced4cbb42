from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = _("Jobs")

    def ready(self) -> None:
        # Models have to be loaded before what counts them.
        from jobs.storage import files_of_runs, register_storage

        register_storage("runs", _("files of runs"), files_of_runs)

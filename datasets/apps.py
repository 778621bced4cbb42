from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DatasetsConfig(AppConfig):
    name = "datasets"
    verbose_name = _("Teacher data")

    def ready(self) -> None:
        # Models have to be loaded before the kind can refer to them.
        from datasets import checks  # noqa: F401 - registers itself
        from datasets.dft.kinds import register_dft
        from datasets.selectors import bytes_uploaded
        from jobs.storage import register_storage

        register_dft()
        register_storage("uploads", _("uploads"), bytes_uploaded)

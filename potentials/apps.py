from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PotentialsConfig(AppConfig):
    name = "potentials"
    verbose_name = _("Potentials")

    def ready(self) -> None:
        # Models have to be loaded before the kinds can refer to them.
        from jobs.storage import register_storage
        from potentials.kinds import register_kinds
        from potentials.selectors import bytes_of_potentials

        register_kinds()
        register_storage("potentials", _("potentials"), bytes_of_potentials)

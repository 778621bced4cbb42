from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PotentialsConfig(AppConfig):
    name = "potentials"
    verbose_name = _("Potentials")

    def ready(self) -> None:
        # Models have to be loaded before the kinds can refer to them.
        from potentials.kinds import register_kinds

        register_kinds()

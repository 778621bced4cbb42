"""Training runs, potentials and molecular-dynamics runs: columns, constraints, indexes."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from datasets.models import Licence
from labs.models import OwnedModel
from mlmd.validation.report import ValidationReport
from mlmd.validation.report_json import report_from_json


class Effort(models.TextChoices):
    """How long a training may take; what each means is the family's business."""

    QUICK = "quick", _("quick")
    NORMAL = "normal", _("normal")
    THOROUGH = "thorough", _("thorough")


class Training(OwnedModel):
    """One run that fits a potential to teacher data; its state is the job's."""

    name = models.CharField(_("name"), max_length=120)
    job = models.OneToOneField("jobs.Job", on_delete=models.PROTECT, related_name="training")
    family = models.CharField(_("family"), max_length=20)
    effort = models.CharField(_("effort"), max_length=10, choices=Effort, default=Effort.NORMAL)
    selection = models.JSONField(help_text=_("Which frames of which dataset versions."))
    versions = models.ManyToManyField(
        "datasets.DatasetVersion", related_name="trainings", verbose_name=_("dataset versions")
    )
    data_checksum = models.CharField(max_length=64)
    data_summary = models.CharField(max_length=300)
    frame_count = models.PositiveIntegerField()
    elements_key = models.CharField(max_length=400)
    settings = models.JSONField(help_text=_("Every setting of the family, as it was used."))
    parent = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="clones"
    )
    result = models.JSONField(default=dict, blank=True)

    class Meta(OwnedModel.Meta):
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["lab", "-created_at"], name="training_lab_created")]

    def __str__(self) -> str:
        return self.name


class Potential(OwnedModel):
    """A fitted potential in the catalog, with what it was fitted to and how well it does."""

    name = models.CharField(_("name"), max_length=120)
    version = models.PositiveIntegerField(_("version"), default=1)
    family = models.CharField(_("family"), max_length=20)
    elements_key = models.CharField(_("elements"), max_length=400)  # "|O|Si|"
    element_count = models.PositiveSmallIntegerField()
    cutoff_radius = models.FloatField(_("cutoff radius"))  # Å
    length_unit = models.CharField(max_length=12)
    energy_unit = models.CharField(max_length=12)
    training = models.OneToOneField(
        Training, on_delete=models.PROTECT, null=True, related_name="potential"
    )
    versions = models.ManyToManyField(
        "datasets.DatasetVersion", related_name="potentials", verbose_name=_("dataset versions")
    )
    data_checksum = models.CharField(max_length=64, blank=True)
    frame_count = models.PositiveIntegerField(default=0)
    settings = models.JSONField(default=dict)
    validation = models.JSONField(default=dict)
    energy_rmse = models.FloatField(_("energy RMSE"), null=True)  # meV/atom, held-out frames
    force_rmse = models.FloatField(_("force RMSE"), null=True)  # meV/Å, held-out frames
    licence = models.CharField(
        _("licence"), max_length=24, choices=Licence, blank=True, default=Licence.UNSTATED
    )
    description = models.TextField(_("description"), blank=True)
    not_for = models.TextField(
        _("not to be used for"),
        blank=True,
        help_text=_("What this potential was not made for, or is known to get wrong."),
    )
    citation = models.TextField(
        _("to be cited"), blank=True, help_text=_("What to cite by whoever uses it.")
    )
    source = models.CharField(
        _("comes from"),
        max_length=300,
        blank=True,
        help_text=_("A DOI or an address, where it was made elsewhere."),
    )
    files_checksum = models.CharField(max_length=64)

    class Meta(OwnedModel.Meta):
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["lab", "-created_at"], name="potential_lab_created"),
            models.Index(fields=["lab", "name", "version"], name="potential_lab_name_version"),
            models.Index(fields=["force_rmse"], name="potential_force_rmse"),
            models.Index(fields=["energy_rmse"], name="potential_energy_rmse"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def elements(self) -> list[str]:
        return [symbol for symbol in self.elements_key.split("|") if symbol]


class PotentialFile(models.Model):
    """One file of a potential; kept in the database so that it comes and goes with its row."""

    potential = models.ForeignKey(Potential, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=120)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["potential", "name"], name="one_file_per_name")
        ]

    def __str__(self) -> str:
        return f"{self.potential}: {self.name}"


class RefusedUpload(OwnedModel):
    """Files that somebody sent as a potential and that did not become one, with the reason."""

    name = models.CharField(_("name"), max_length=120, blank=True)
    file_name = models.CharField(_("file name"), max_length=255)
    size = models.BigIntegerField(_("size"), default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    # None where they are larger than what is kept.
    content = models.BinaryField(null=True)
    values = models.JSONField(default=dict)
    reason = models.TextField(_("reason"))
    verdicts = models.JSONField(default=list)

    class Meta(OwnedModel.Meta):
        abstract = False
        ordering = ["-modified_at", "-pk"]
        verbose_name = _("refused upload")
        verbose_name_plural = _("refused uploads")
        indexes = [models.Index(fields=["lab", "-modified_at"], name="refused_newest")]

    def __str__(self) -> str:
        return self.name or self.file_name

    def get_absolute_url(self) -> str:
        return reverse("potentials:refused-upload", args=[self.public_id])


class Validation(models.Model):
    """One run that checks a potential; who sees the potential sees it, its state is the job's."""

    potential = models.ForeignKey(Potential, on_delete=models.CASCADE, related_name="validations")
    job = models.OneToOneField("jobs.Job", on_delete=models.PROTECT, related_name="validation")
    versions = models.ManyToManyField(
        "datasets.DatasetVersion", related_name="validations", verbose_name=_("dataset versions")
    )
    settings = models.JSONField(help_text=_("Every setting of the checks, as it was used."))
    report = models.JSONField(default=dict, blank=True)  # of `mlmd.validation`
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.potential}: {self.created_at:%Y-%m-%d %H:%M}"

    def read_report(self) -> ValidationReport:
        """Return what it found.

        Raises:
            mlmd.errors.InvalidInput: nothing yet, or a report of another form.
        """
        return report_from_json(self.report, f"validation {self.pk}")


class Simulation(OwnedModel):
    """One molecular-dynamics run; its state is the job's."""

    name = models.CharField(_("name"), max_length=120)
    job = models.OneToOneField("jobs.Job", on_delete=models.PROTECT, related_name="simulation")
    potential = models.ForeignKey(Potential, on_delete=models.PROTECT, related_name="simulations")
    structure = models.ForeignKey(
        "datasets.Structure", on_delete=models.PROTECT, related_name="simulations"
    )
    structure_hash = models.CharField(max_length=64)
    repeats = models.JSONField(default=list)  # of the cell along a, b, c
    atom_count = models.PositiveIntegerField()
    formula = models.CharField(max_length=200)
    engine = models.CharField(_("engine"), max_length=20, default="mlmd")
    settings = models.JSONField(help_text=_("Every setting of the run, as it was used."))
    parent = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="clones"
    )
    result = models.JSONField(default=dict, blank=True)

    class Meta(OwnedModel.Meta):
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["lab", "-created_at"], name="simulation_lab_created")]

    def __str__(self) -> str:
        return self.name

"""How far a training is, and its learning curve, whichever program trains."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from django.http import FileResponse, Http404, HttpResponse
from django.utils.translation import gettext as _

from jobs.files import file_path, job_folder
from labs.templatetags.mlmd_tags import digits
from mlmd.errors import InvalidInput
from potentials.families import FAMILIES, Curve
from potentials.models import Training
from potentials.training_plots import CURVE_FILE, curve_csv

log = logging.getLogger(__name__)


def curve_of(training: Training) -> Curve:
    """Return the errors after every epoch so far; of length 0 where there is nothing to read."""
    try:
        return FAMILIES[training.family].read_curve(job_folder(training.job))
    except InvalidInput as error:
        # nnp-train writes its header after the file: the next look will find it.
        log.info("training %s: %s", training.pk, error)
        none = np.zeros(0)
        return Curve(none, (none, none), (none, none))


def curve_response(training: Training, name: str) -> HttpResponse | FileResponse:
    """Return the learning curve as a download of that name.

    Raises:
        Http404: there is none (yet).
    """
    path = file_path(training.job, CURVE_FILE)
    if path is not None:
        return FileResponse(path.open("rb"), as_attachment=True, filename=name)
    curve = curve_of(training)
    if not len(curve.epoch):
        raise Http404(_("The run has no learning curve yet."))
    response = HttpResponse(curve_csv(curve), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def training_progress(training: Training) -> dict[str, Any]:
    """Return how far a training is by its learning curve, for programs that don't say it."""
    curve, epochs = curve_of(training), training.settings.get("epochs")
    if not len(curve.epoch) or not epochs:
        return {}
    epoch = int(curve.epoch[-1])
    words = _("epoch %(epoch)s of %(epochs)s: %(error)s meV/atom") % {
        "epoch": epoch,
        "epochs": epochs,
        "error": digits(curve.energy[0][-1], 3),
    }
    return {"fraction": min(1.0, epoch / epochs), "message": words, "eta_s": None}

"""How the conditions of a search are said on a chip."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

MAY_LACK = {
    "dispersion": gettext_lazy("no dispersion correction"),
    "licence": gettext_lazy("licence not stated"),
    "split": gettext_lazy("no part of the split"),
}


def number_words() -> dict[str, str]:
    """Return field → words with ``%(value)s``, for bounds."""
    return {
        "atoms_min": _("≥ %(value)s atoms"),
        "atoms_max": _("≤ %(value)s atoms"),
        "energy_min": _("energy ≥ %(value)s eV/atom"),
        "energy_max": _("energy ≤ %(value)s eV/atom"),
        "force_min": _("largest force ≥ %(value)s eV/Å"),
        "force_max": _("largest force ≤ %(value)s eV/Å"),
        "above_min": _("≥ %(value)s eV/atom above the hull"),
        "above_max": _("≤ %(value)s eV/atom above the hull"),
        "distance_min": _("shortest distance ≥ %(value)s Å"),
        "distance_max": _("shortest distance ≤ %(value)s Å"),
        "pressure_min": _("pressure ≥ %(value)s GPa"),
        "pressure_max": _("pressure ≤ %(value)s GPa"),
        "k_spacing_min": _("k-points ≥ %(value)s Å⁻¹ apart"),
        "k_spacing_max": _("k-points ≤ %(value)s Å⁻¹ apart"),
        "cutoff_min": _("cutoff ≥ %(value)s eV"),
        "cutoff_max": _("cutoff ≤ %(value)s eV"),
    }


def choice_words() -> dict[str, dict[str, str]]:
    """Return field → value → words."""
    return {
        "converged": {
            "yes": _("SCF converged"),
            "no": _("SCF not converged"),
            "unknown": _("SCF convergence unknown"),
        },
        "hubbard": {"yes": _("with Hubbard U"), "no": _("without Hubbard U")},
        "stress": {"yes": _("with stress"), "no": _("without stress")},
    }


def text_words() -> dict[str, str]:
    """Return field → words with ``%s``."""
    return {
        "since": _("since %s"),
        "until": _("until %s"),
        "q": _("“%s”"),
        "identity": _("duplicates of %.10s…"),
    }

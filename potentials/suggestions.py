"""What a validation suggests to say under "not to be used for"; the owner accepts it or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from labs.templatetags.mlmd_tags import digits
from mlmd.validation.dynamics import DRIFT, MOVED, PLANNED, SIMULATED, STRONG_DRIFT
from mlmd.validation.elasticity import STABILITY
from mlmd.validation.extrapolation import ATOMS_OUTSIDE
from mlmd.validation.lattice import BULK
from mlmd.validation.phonons import IMAGINARY, LOWEST
from mlmd.validation.report import Check, CheckName, CheckStatus, ValidationReport, Value

WANDERED = 1.0  # Å: atoms that are this far from their sites, as a root mean square, have left them
OUTSIDE = 5.0  # % of atoms outside the trained range of data that the potential should know
MODULUS_OFF = 0.25  # relative error of the bulk modulus


@dataclass(frozen=True)
class Suggestion:
    """One sentence that a card may take over.

    Args:
        key: of the finding, for addresses: ``"phonons-1"``.
        text: what it must not be used for.
        why: which number says so.
    """

    key: str
    text: str
    why: str


def suggestions_of(report: ValidationReport, not_for: str = "") -> list[Suggestion]:
    """Return what the report speaks against, in the report's order.

    Args:
        report: of the potential.
        not_for: what the card says already; what stands there is not suggested again.
    """
    return [
        Suggestion(f"{check.name}-{number}", text, why)
        for check in report.checks
        if check.name in RULES
        for number, (text, why) in enumerate(RULES[check.name](check), start=1)
        if text not in not_for
    ]


Found = Iterator[tuple[str, str]]


def _values(check: Check, label: str) -> Iterator[tuple[Value, float]]:
    for value in check.values:
        if value.label == label and value.value is not None:
            yield value, value.value


def _phonons(check: Check) -> Found:
    for value, lowest in _values(check, LOWEST):
        if lowest < IMAGINARY:
            yield (
                _("Vibrations and low temperatures of %(crystal)s.") % {"crystal": value.subject},
                _("Imaginary modes down to %(low)s THz.") % {"low": digits(lowest, 3)},
            )


def _elastic(check: Check) -> Found:
    for value, smallest in _values(check, STABILITY):
        if smallest <= 0:
            yield (
                _("%(crystal)s: it is not stable against strain.") % {"crystal": value.subject},
                _("An elastic eigenvalue of %(low)s GPa.") % {"low": digits(smallest, 3)},
            )


def _volume(check: Check) -> Found:
    for value, modulus in _values(check, BULK):
        if value.reference and abs(modulus / value.reference - 1) > MODULUS_OFF:
            yield (
                _("High pressures of %(crystal)s.") % {"crystal": value.subject},
                _("A bulk modulus of %(own)s GPa where the teacher has %(theirs)s.")
                % {"own": digits(modulus, 3), "theirs": digits(value.reference, 3)},
            )


def _stability(check: Check) -> Found:
    planned = next((value for value, _n in _values(check, SIMULATED)), None)
    if check.status is CheckStatus.FAILED or _is_cut(planned):
        yield _("Long dynamics: it does not survive the test run."), check.reason
        return
    for _value, drift in _values(check, DRIFT):
        if abs(drift) > STRONG_DRIFT:
            yield (
                _("Dynamics at constant energy with the usual time step."),
                _("The energy drifts by %(drift)s meV/atom/ps.") % {"drift": digits(drift, 3)},
            )
    for _value, moved in _values(check, MOVED):
        if moved > WANDERED:
            yield (
                _("Dynamics of the crystal: atoms leave their sites."),
                _("Atoms moved by %(moved)s Å.") % {"moved": digits(moved, 3)},
            )


def _is_cut(simulated: Value | None) -> bool:
    if simulated is None or simulated.value is None or simulated.reference_source != PLANNED:
        return False
    return simulated.reference is not None and simulated.value < 0.99 * simulated.reference


def _extrapolation(check: Check) -> Found:
    for _value, share in _values(check, ATOMS_OUTSIDE):
        if share > OUTSIDE:
            yield (
                _("Configurations like the less usual ones of its own data."),
                _("%(share)s %% of the atoms of the checked frames are outside the trained range.")
                % {"share": digits(share, 3)},
            )


RULES: dict[CheckName, Callable[[Check], Found]] = {
    CheckName.EXTRAPOLATION: _extrapolation,
    CheckName.VOLUME: _volume,
    CheckName.ELASTIC: _elastic,
    CheckName.PHONONS: _phonons,
    CheckName.STABILITY: _stability,
}

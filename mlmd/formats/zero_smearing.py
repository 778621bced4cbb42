"""The energy at zero smearing, for codes that print only F and −TS."""

from __future__ import annotations

# E0 ≈ F + TS/2 for Gaussian-like occupations, F + TS/3 for first-order Methfessel–Paxton, as
# VASP does. Cold smearing is meant to need no such correction, and has no such rule.
_SHARES = {"gaussian": 2, "fermi-dirac": 2, "methfessel-paxton": 3}


def energy_at_zero_smearing(free: float, entropy: float, smearing: str) -> float | None:
    """Return E0, or None where no rule is known.

    Args:
        free: F, eV.
        entropy: −TS, eV.
        smearing: as in `Calculation.smearing`, the kind first.
    """
    if entropy == 0:
        return free
    share = _SHARES.get(smearing.split(" ")[0])
    return None if share is None else free - entropy / share

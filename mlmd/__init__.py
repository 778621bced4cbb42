"""Machine-learning molecular dynamics: everything a scientist can use without a web site.

Inside the package every quantity is in Å, eV, eV/Å, amu and fs; files in other
units are converted once, at the format's door.
"""

__version__ = "0.1.0"

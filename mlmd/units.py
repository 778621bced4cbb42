"""Unit conversions into Å, eV, amu, fs, from CODATA 2018 (doi:10.1103/RevModPhys.93.025010)."""

BOHR = 0.529177210903  # Å
HARTREE = 27.211386245988  # eV
RYDBERG = HARTREE / 2  # eV
K_BOLTZMANN = 8.617333262e-5  # eV/K
EV_PER_A3_IN_GPA = 160.21766208  # 1 eV/Å³ in GPa
KBAR = 0.1 / EV_PER_A3_IN_GPA  # 1 kbar in eV/Å³
BAR = KBAR / 1000  # 1 bar in eV/Å³
AMU_A2_PER_FS2 = 103.642696562  # 1 amu·Å²/fs² in eV
AMU_PER_A3_IN_G_CM3 = 1.66053906660  # 1 amu/Å³ in g/cm³

LENGTH = {"angstrom": 1.0, "bohr": BOHR}
ENERGY = {"ev": 1.0, "hartree": HARTREE, "rydberg": RYDBERG}

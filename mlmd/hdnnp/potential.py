"""A high-dimensional neural-network potential as plain data.

Everything is kept as n2p2's files have it, in the length and energy units of those
files, so that reading and writing loses nothing; the evaluator converts once.
Definitions: Behler, J. Chem. Phys. 134, 074106 (2011), doi:10.1063/1.3553717;
Singraber, Behler, Dellago, JCTC 15, 1827 (2019), doi:10.1021/acs.jctc.8b00770.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

import numpy as np
from ase.data import atomic_numbers

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.repulsion import Repulsion
from mlmd.units import ENERGY, LENGTH


class CutoffType(IntEnum):
    """n2p2's cutoff functions; x = (r − r_ci)/(r_c − r_ci) with r_ci = α·r_c."""

    HARD = 0
    COSINE = 1
    TANH_U = 2
    TANH = 3
    EXPONENTIAL = 4
    POLY1 = 5
    POLY2 = 6
    POLY3 = 7
    POLY4 = 8


class ScalingMode(StrEnum):
    """How raw symmetry functions become network inputs."""

    NONE = "none"
    SCALE = "scale"
    CENTER = "center"
    SCALE_CENTER = "scale-center"
    SIGMA = "sigma"


class Activation(StrEnum):
    """n2p2's activation functions by its letters, and aenet's twisted tanh, which n2p2 lacks."""

    LINEAR = "l"
    TANH = "t"
    LOGISTIC = "s"
    SOFTPLUS = "p"
    RELU = "r"
    GAUSSIAN = "g"
    COSINE = "c"
    REVERSED_LOGISTIC = "S"
    EXPONENTIAL = "e"
    HARMONIC = "h"
    TWISTED_TANH = "twist"


@dataclass(frozen=True)
class SymmetryFunction:
    """One atom-centred symmetry function, of exponential form or with compact support.

    Args:
        kind: n2p2's type number: 2 radial, 3 narrow angular, 9 wide angular,
            12 and 13 weighted by atomic number; 20 to 25 with compact support.
        center: element of the central atom.
        neighbors: elements of the neighbours, sorted by atomic number; empty for weighted kinds.
        eta: width, 1/length².
        rs: shift, length.
        lam: λ, +1 or −1; 0 where the kind has none.
        zeta: ζ; 0 where the kind has none.
        cutoff: cutoff radius, length.
        left: where the window of distances of a compact kind starts, length; may be negative.
        angle_left: where its window of angles starts, degrees.
        angle_right: where that ends, degrees.
        shape: of both windows: e, p1 to p4, p1a to p4a; empty for exponential kinds.
    """

    kind: int
    center: str
    neighbors: tuple[str, ...]
    eta: float
    rs: float
    lam: float
    zeta: float
    cutoff: float
    left: float = 0.0
    angle_left: float = 0.0
    angle_right: float = 0.0
    shape: str = ""


@dataclass(frozen=True)
class Scaling:
    """What the training data's raw symmetry functions span, one entry per function.

    Args:
        minimum: shape (S,).
        maximum: shape (S,).
        mean: shape (S,).
        sigma: standard deviation, shape (S,).
    """

    minimum: FloatArray
    maximum: FloatArray
    mean: FloatArray
    sigma: FloatArray

    def factors(self, mode: ScalingMode, low: float, high: float) -> tuple[FloatArray, FloatArray]:
        """Return (factor, shift), each shape (S,), so that the network sees factor·G + shift.

        A function that is constant in the data carries no information and would divide by
        zero: its factor is 0, its shift ``low``.
        """
        count = len(self.minimum)
        if mode is ScalingMode.NONE:
            return np.ones(count), np.zeros(count)
        if mode is ScalingMode.CENTER:
            return np.ones(count), -self.mean
        spread = self.sigma if mode is ScalingMode.SIGMA else self.maximum - self.minimum
        origin = self.minimum if mode is ScalingMode.SCALE else self.mean
        constant = spread == 0.0
        factor = np.where(constant, 0.0, (high - low) / np.where(constant, 1.0, spread))
        return factor, low - factor * origin


@dataclass(frozen=True)
class Normalisation:
    """Conversion between the network's own units and the data's.

    E = E_net/conv_energy + N·mean_energy + Σ atom_energy. ``conv_length`` changes no result,
    because symmetry functions have no dimension; it is kept for n2p2's files.
    """

    mean_energy: float = 0.0
    conv_energy: float = 1.0
    conv_length: float = 1.0


@dataclass(frozen=True)
class ElementNetwork:
    """The feed-forward network of one element.

    Args:
        weights: per layer, shape (nodes before, nodes after).
        biases: per layer, shape (nodes after,).
        activations: per layer; the last layer has one node.
    """

    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]
    activations: tuple[Activation, ...]

    @property
    def hidden_nodes(self) -> tuple[int, ...]:
        """Number of nodes of every hidden layer."""
        return tuple(len(bias) for bias in self.biases[:-1])

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(weights.size for weights in (*self.weights, *self.biases))


@dataclass(frozen=True)
class Units:
    """Units of a potential's own files.

    Args:
        length: ``"angstrom"`` or ``"bohr"``.
        energy: ``"ev"``, ``"hartree"`` or ``"rydberg"``.
        assumed: nothing said what they are, so the defaults were taken.
    """

    length: str = "angstrom"
    energy: str = "ev"
    assumed: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (
            ("length", self.length, LENGTH),
            ("energy", self.energy, ENERGY),
        ):
            if value not in known:
                raise InvalidInput(f"{name} unit", f"{value!r}", " or ".join(known))

    @property
    def angstrom(self) -> float:
        """One length unit in Å."""
        return LENGTH[self.length]

    @property
    def ev(self) -> float:
        """One energy unit in eV."""
        return ENERGY[self.energy]


@dataclass(frozen=True)
class Potential:
    """A complete potential.

    Args:
        elements: symbols sorted by atomic number.
        functions: element → its symmetry functions in n2p2's sorted order.
        scaling: element → data range of those functions, in the same order.
        networks: element → its network.
        cutoff_type: cutoff function of all symmetry functions.
        cutoff_alpha: inner cutoff as a fraction of the cutoff radius, 0 ≤ α < 1.
        scaling_mode: how raw functions are scaled.
        scale_minimum: S_min of the scaling.
        scale_maximum: S_max of the scaling.
        atom_energies: element → energy of the free atom that was subtracted, file units.
        normalisation: network units against the data's.
        normalize_nodes: every node's sum is divided by the number of nodes before it.
        units: units of the potential's files.
        repulsion: of nuclei, added to the networks' energy; None for none.

    Raises:
        InvalidInput: the parts don't fit together.
    """

    elements: tuple[str, ...]
    functions: Mapping[str, tuple[SymmetryFunction, ...]]
    scaling: Mapping[str, Scaling]
    networks: Mapping[str, ElementNetwork]
    cutoff_type: CutoffType = CutoffType.POLY2
    cutoff_alpha: float = 0.0
    scaling_mode: ScalingMode = ScalingMode.NONE
    scale_minimum: float = 0.0
    scale_maximum: float = 1.0
    atom_energies: Mapping[str, float] = field(default_factory=dict)
    normalisation: Normalisation = Normalisation()
    normalize_nodes: bool = False
    units: Units = Units()
    repulsion: Repulsion | None = None

    def __post_init__(self) -> None:
        _check_parts(self)

    @property
    def cutoff_radius(self) -> float:
        """Largest cutoff radius, Å."""
        radii = [f.cutoff for functions in self.functions.values() for f in functions]
        return max(radii, default=0.0) * self.units.angstrom

    @property
    def parameters(self) -> int:
        """How many numbers were fitted."""
        return sum(network.parameters for network in self.networks.values())


def function_order(function: SymmetryFunction) -> tuple[float | str, ...]:
    """Return the key by which n2p2 sorts the functions of one element.

    (type, r_c, η, r_s, ζ, λ, first neighbour, second neighbour); the cutoff type and α are
    the same for all of a potential's functions. Compact ones: (type, shape, first neighbour,
    second neighbour, r_c, r_l, θ_l, θ_r).
    """
    f = function
    if f.shape:
        numbers = (atomic_numbers[symbol] for symbol in f.neighbors)
        return (f.kind, f.shape, *numbers, f.cutoff, f.left, f.angle_left, f.angle_right)
    return (
        f.kind,
        f.cutoff,
        f.eta,
        f.rs,
        f.zeta,
        f.lam,
        *(atomic_numbers[symbol] for symbol in f.neighbors),
    )


def sort_functions(functions: list[SymmetryFunction]) -> tuple[SymmetryFunction, ...]:
    """Return an element's functions in n2p2's order, the order of ``scaling.data``."""
    return tuple(sorted(functions, key=function_order))


def _check_parts(potential: Potential) -> None:
    if not potential.elements:
        raise InvalidInput("potential", "no elements", "at least one")
    if not 0.0 <= potential.cutoff_alpha < 1.0:
        raise InvalidInput("cutoff_type", f"α = {potential.cutoff_alpha:g}", "0 ≤ α < 1")
    if potential.normalisation.conv_energy == 0.0:
        raise InvalidInput("conv_energy", "0", "a factor other than zero")
    for element in potential.elements:
        where = f"potential, element {element}"
        if not (
            element in potential.functions
            and element in potential.scaling
            and element in potential.networks
        ):
            raise InvalidInput(where, "incomplete", "functions, scaling and a network")
        functions = potential.functions[element]
        count = len(functions)
        if list(functions) != sorted(functions, key=function_order):
            raise InvalidInput(where, "unsorted functions", "n2p2's order", "Use sort_functions.")
        if len(potential.scaling[element].minimum) != count:
            raise InvalidInput(
                where, f"scaling of {len(potential.scaling[element].minimum)}", f"{count} rows"
            )
        _check_network(where, potential.networks[element], count)
    if potential.repulsion is not None:
        _check_repulsion(potential, potential.repulsion)


def _check_repulsion(potential: Potential, repulsion: Repulsion) -> None:
    strange = {symbol for pair in repulsion.radii for symbol in pair} - set(potential.elements)
    if strange:
        raise InvalidInput(
            "repulsion", f"element {min(strange)!r}", f"one of {' '.join(potential.elements)}"
        )
    # Neighbour lists reach as far as the symmetry functions.
    if repulsion.reach > potential.cutoff_radius:
        raise InvalidInput(
            "repulsion",
            f"an outer radius of {repulsion.reach:g} Å",
            f"at most the largest cutoff radius, {potential.cutoff_radius:g} Å",
        )


def _check_network(where: str, network: ElementNetwork, inputs: int) -> None:
    layers = len(network.weights)
    if not (layers == len(network.biases) == len(network.activations) and layers > 0):
        raise InvalidInput(where, "layers that differ in number", "weights, biases, activations")
    before = inputs
    for layer, (weights, biases) in enumerate(zip(network.weights, network.biases, strict=True)):
        if weights.shape != (before, len(biases)):
            raise InvalidInput(
                f"{where}, layer {layer + 1}",
                f"weights of shape {weights.shape}",
                f"{(before, len(biases))}",
            )
        before = len(biases)
    if before != 1:
        raise InvalidInput(where, f"{before} output nodes", "1")

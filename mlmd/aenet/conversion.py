"""Potentials of aenet as n2p2's, and the other way round, where both mean the same numbers.

aenet's G1, G2, G4 and G5 with its cosine cutoff are n2p2's types 2, 3 and 9 with cutoff type 1,
and both scale functions and energies linearly: such potentials convert without loss.
aenet's Chebyshev functions sum over all neighbour elements at once, with weights; n2p2 has no
such function. n2p2's other cutoffs, types, shifted angular functions and activations have no
counterpart in aenet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from ase.data import atomic_numbers

from mlmd.aenet.potential import (
    AenetPotential,
    BehlerBasis,
    ElementPotential,
    Origin,
    input_order,
)
from mlmd.aenet.writing import ACTIVATION_NUMBERS, AENET_KINDS
from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.potential import (
    Activation,
    CutoffType,
    ElementNetwork,
    Normalisation,
    Potential,
    Scaling,
    ScalingMode,
    SymmetryFunction,
    function_order,
)

WHERE = "conversion"
# Below it aenet takes a function for constant.
LEAST_VARIANCE = 1e-20


def as_n2p2(potential: AenetPotential) -> Potential:
    """Return a potential of aenet's symmetry functions in n2p2's form, in Å and eV.

    Raises:
        InvalidInput: it has Chebyshev functions or twisted tanh.
    """
    if any(Activation.TWISTED_TANH in part.network.activations for part in potential.parts):
        raise InvalidInput(
            WHERE,
            "activation twist",
            "tanh, mtanh, sigmoid or linear",
            "n2p2 has no twisted tanh: use the potential as it is, or train one with tanh.",
        )
    return same_functions(potential)


def same_functions(potential: AenetPotential) -> Potential:
    """Return the same potential as `as_n2p2`, for the engine, which knows every activation.

    Raises:
        InvalidInput: it has Chebyshev functions.
    """
    parts = sorted(potential.parts, key=lambda part: atomic_numbers[part.element])
    functions, scaling, networks = {}, {}, {}
    for part in parts:
        if not isinstance(part.basis, BehlerBasis):
            raise InvalidInput(
                WHERE,
                "Chebyshev functions",
                "aenet's symmetry functions (G1, G2, G4, G5)",
                "n2p2 has no function that sums over all neighbour elements with weights: use "
                "the potential as it is, or train one with symmetry functions.",
            )
        listed = part.basis.functions
        order = sorted(range(len(listed)), key=lambda k: function_order(listed[k]))
        factor, _ = part.factors()
        varies = factor[order] > 0.0
        functions[part.element] = tuple(listed[k] for k in order)
        # A constant function enters neither; n2p2 would divide by zero.
        scaling[part.element] = Scaling(
            part.minimum[order],
            part.maximum[order],
            part.mean[order],
            np.where(varies, 1.0 / np.where(varies, factor[order], 1.0), 1.0),
        )
        first = part.network.weights[0][order] * varies[:, None]
        networks[part.element] = replace(part.network, weights=(first, *part.network.weights[1:]))
    return Potential(
        elements=tuple(part.element for part in parts),
        functions=functions,
        scaling=scaling,
        networks=networks,
        cutoff_type=CutoffType.COSINE,
        scaling_mode=ScalingMode.SIGMA,
        atom_energies={p.element: p.energy_shift + p.atom_energies[p.element] for p in parts},
        normalisation=Normalisation(0.0, 1.0 / parts[0].energy_scale, 1.0),
    )


def as_aenet(potential: Potential) -> AenetPotential:
    """Return a potential of n2p2's in aenet's form.

    Raises:
        InvalidInput: something of it has no counterpart in aenet; says what.
    """
    if reason := why_not_aenet(potential):
        raise InvalidInput(
            WHERE,
            reason,
            "types 2, 3 and 9 without shifted angular functions, cutoff type 1, activations "
            "t, s and l",
            "aenet has nothing of that kind: use the potential as it is.",
        )
    units, normal = potential.units, potential.normalisation
    energies = {
        element: units.ev * (normal.mean_energy + potential.atom_energies.get(element, 0.0))
        for element in potential.elements
    }
    parts = tuple(
        _part(potential, element, units.ev / normal.conv_energy, energies)
        for element in potential.elements
    )
    return AenetPotential(parts)


def why_not_aenet(potential: Potential) -> str:
    """Return what of a potential of n2p2's aenet doesn't have; empty where it has everything."""
    if potential.cutoff_type is not CutoffType.COSINE or potential.cutoff_alpha != 0.0:
        return f"cutoff type {int(potential.cutoff_type)}, α = {potential.cutoff_alpha:g}"
    if potential.repulsion is not None:
        return "a short-range repulsion (ZBL)"
    if reason := why_not_functions(potential.functions):
        return reason
    for network in potential.networks.values():
        for activation in network.activations:
            if activation not in ACTIVATION_NUMBERS:
                return f"activation {activation.value}"
        if network.activations[-1] is not Activation.LINEAR:
            return f"activation {network.activations[-1].value} of the output"
    return ""


def why_not_functions(functions: Mapping[str, tuple[SymmetryFunction, ...]]) -> str:
    """Return which of n2p2's functions aenet doesn't have; empty where it has all."""
    for f in (f for own in functions.values() for f in own):
        if f.kind not in AENET_KINDS:
            return f"symmetry functions of type {f.kind}"
        if f.kind != 2 and f.rs != 0.0:
            return f"an angular function shifted by {f.rs:g}"
    return ""


def _part(
    potential: Potential, element: str, energy_scale: float, energies: dict[str, float]
) -> ElementPotential:
    names = potential.elements
    own = potential.functions[element]
    order = sorted(range(len(own)), key=lambda k: _aenet_order(own[k], names))
    basis = BehlerBasis(names, tuple(_in_angstrom(own[k], potential) for k in order))
    scaling = potential.scaling[element]
    factor, shift = scaling.factors(
        potential.scaling_mode, potential.scale_minimum, potential.scale_maximum
    )
    mean, square = _statistics(scaling)
    network = _without_node_scaling(potential.networks[element], potential.normalize_nodes)
    return ElementPotential(
        element,
        basis,
        _refitted(network, factor, shift, mean, square, order),
        scaling.minimum[order],
        scaling.maximum[order],
        mean[order],
        square[order],
        energy_scale,
        0.0,
        energies,
        Origin(description="Converted from n2p2's files."),
    )


def _aenet_order(function: SymmetryFunction, names: tuple[str, ...]) -> tuple[int, ...]:
    return input_order(AENET_KINDS[function.kind], [names.index(e) for e in function.neighbors])


def _in_angstrom(function: SymmetryFunction, potential: Potential) -> SymmetryFunction:
    unit = potential.units.angstrom
    return replace(
        function,
        eta=function.eta / unit**2,
        rs=function.rs * unit,
        cutoff=function.cutoff * unit,
    )


def _statistics(scaling: Scaling) -> tuple[FloatArray, FloatArray]:
    """Return mean and mean square by which aenet scales; a constant function gets a spread of 1."""
    spread = np.where(scaling.sigma > 0.0, scaling.sigma, 1.0)
    square = scaling.mean**2 + spread**2
    # Where the square drowns the spread, aenet would take the function for constant.
    lost = square - scaling.mean**2 <= LEAST_VARIANCE
    return np.where(lost, 0.0, scaling.mean), np.where(lost, 1.0, square)


def _refitted(
    network: ElementNetwork,
    factor: FloatArray,
    shift: FloatArray,
    mean: FloatArray,
    square: FloatArray,
    order: list[int],
) -> ElementNetwork:
    """Return the network for inputs (G − mean)/σ in another order, in place of factor·G + shift."""
    sigma = np.sqrt(square - mean**2)
    weights, bias = network.weights[0], network.biases[0]
    first = weights * (factor * sigma)[:, None]
    return replace(
        network,
        weights=(first[order], *network.weights[1:]),
        biases=(bias + (factor * mean + shift) @ weights, *network.biases[1:]),
    )


def _without_node_scaling(network: ElementNetwork, normalize_nodes: bool) -> ElementNetwork:
    if not normalize_nodes:
        return network
    return replace(
        network,
        weights=tuple(w / len(w) for w in network.weights),
        biases=tuple(b / len(w) for w, b in zip(network.weights, network.biases, strict=True)),
    )

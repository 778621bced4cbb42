"""The texts of n2p2's files of a potential; `mlmd.hdnnp.files` reads and writes them."""

from __future__ import annotations

from mlmd.errors import InvalidInput
from mlmd.hdnnp.potential import Activation, ElementNetwork, Normalisation, Potential, ScalingMode
from mlmd.hdnnp.symmetry import FUNCTION_KINDS


def input_text(potential: Potential) -> str:
    """Return ``input.nn``.

    Raises:
        InvalidInput: n2p2's files can't say what the potential has.
    """
    p = potential
    networks = [p.networks[element] for element in p.elements]
    activations = networks[0].activations
    if any(network.activations != activations for network in networks):
        raise InvalidInput("potential", "activations that differ between elements", "the same")
    if Activation.TWISTED_TANH in activations:
        raise InvalidInput("potential", "aenet's twisted tanh", "an activation that n2p2 has")
    common = networks[0].hidden_nodes
    lines = [
        f"number_of_elements {len(p.elements)}",
        f"elements {' '.join(p.elements)}",
        f"cutoff_type {p.cutoff_type.value} {float(p.cutoff_alpha)!r}",
        *_scaling_lines(p.scaling_mode),
        f"scale_min_short {float(p.scale_minimum)!r}",
        f"scale_max_short {float(p.scale_maximum)!r}",
        f"global_hidden_layers_short {len(common)}",
        f"global_nodes_short {' '.join(map(str, common))}",
        f"global_activation_short {' '.join(a.value for a in activations)}",
    ]
    for element, network in zip(p.elements, networks, strict=True):
        lines += [
            f"element_nodes_short {element} {layer} {nodes}"
            for layer, nodes in enumerate(network.hidden_nodes, 1)
            if nodes != common[layer - 1]
        ]
    lines += [f"atom_energy {e} {float(x)!r}" for e, x in p.atom_energies.items()]
    if p.normalisation != Normalisation():
        lines += [
            f"mean_energy {float(p.normalisation.mean_energy)!r}",
            f"conv_energy {float(p.normalisation.conv_energy)!r}",
            f"conv_length {float(p.normalisation.conv_length)!r}",
        ]
    lines += ["normalize_nodes"] if p.normalize_nodes else []
    for element in p.elements:
        for function in p.functions[element]:
            words = FUNCTION_KINDS[function.kind].words(function)
            lines.append(f"symfunction_short {element} {function.kind} {' '.join(words)}")
    return "\n".join(lines) + "\n"


def _scaling_lines(mode: ScalingMode) -> list[str]:
    return {
        ScalingMode.NONE: [],
        ScalingMode.SCALE: ["scale_symmetry_functions"],
        ScalingMode.CENTER: ["center_symmetry_functions"],
        ScalingMode.SCALE_CENTER: ["scale_symmetry_functions", "center_symmetry_functions"],
        ScalingMode.SIGMA: ["scale_symmetry_functions_sigma"],
    }[mode]


def scaling_text(potential: Potential) -> str:
    """Return ``scaling.data``."""
    lines = ["# e_index sf_index sf_min sf_max sf_mean sf_sigma"]
    for index, element in enumerate(potential.elements, 1):
        s = potential.scaling[element]
        rows = zip(s.minimum, s.maximum, s.mean, s.sigma, strict=True)
        for number, row in enumerate(rows, 1):
            lines.append(f"{index:10d} {number:10d} " + " ".join(f"{x:24.16E}" for x in row))
    return "\n".join(lines) + "\n"


def weights_text(network: ElementNetwork) -> str:
    """Return ``weights.ZZZ.data`` of an element."""
    lines = ["# connection t index l_s n_s l_e n_e (a = weight, b = bias)"]
    index = 0
    for layer, (weights, biases) in enumerate(zip(network.weights, network.biases, strict=True), 1):
        for before, row in enumerate(weights, 1):
            for after, value in enumerate(row, 1):
                index += 1
                lines.append(
                    f"{value:24.16E} a {index:9d} {layer - 1:5d} {before:5d} {layer:5d} {after:5d}"
                )
        for after, value in enumerate(biases, 1):
            index += 1
            lines.append(f"{value:24.16E} b {index:9d} {layer:5d} {after:5d}")
    return "\n".join(lines) + "\n"

"""Derivatives by weights against finite differences of values by weights."""

import numpy as np
import pytest

from mlmd.hdnnp.potential import Activation
from mlmd.hdnnp.training.network import SMOOTH_ACTIVATIONS, FlatNetwork

STEP = 1e-6


def case(activation, nodes=(4, 5, 3, 1), atoms=3):
    generator = np.random.default_rng(7)
    network = FlatNetwork(nodes, activation, start=2)
    weights = np.concatenate([[9.0, 9.0], 0.7 * network.initial(generator)])
    weights += 0.1 * generator.normal(size=len(weights))
    return network, weights, generator.normal(size=(atoms, nodes[0])), generator


def slopes_by_weights(function, weights):
    columns = []
    for k in range(len(weights)):
        up, down = weights.copy(), weights.copy()
        up[k] += STEP
        down[k] -= STEP
        columns.append((function(up) - function(down)) / (2 * STEP))
    return np.array(columns).T


@pytest.mark.parametrize("activation", SMOOTH_ACTIVATIONS)
def test_the_input_gradient_is_the_slope_of_the_energy(activation):
    network, weights, inputs, _ = case(activation)
    gradient = network.sweep(weights, inputs).input_gradient
    for s in range(inputs.shape[1]):
        shift = np.zeros_like(inputs)
        shift[:, s] = STEP
        up = network.sweep(weights, inputs + shift).energies
        down = network.sweep(weights, inputs - shift).energies
        np.testing.assert_allclose(gradient[:, s], (up - down) / (2 * STEP), atol=1e-8)


@pytest.mark.parametrize("activation", SMOOTH_ACTIVATIONS)
def test_energy_rows_are_slopes_by_weights(activation):
    network, weights, inputs, _ = case(activation)
    rows = np.array([0, 0, 2])

    def energies(w):
        return np.bincount(rows, network.sweep(w, inputs).energies, minlength=3)

    jacobian = np.zeros((3, len(weights)))
    network.add_energy_rows(network.sweep(weights, inputs), rows, jacobian)
    np.testing.assert_allclose(jacobian, slopes_by_weights(energies, weights), atol=1e-8)


@pytest.mark.parametrize("activation", SMOOTH_ACTIVATIONS)
@pytest.mark.parametrize("nodes", [(4, 5, 3, 1), (4, 6, 1), (2, 4, 3, 3, 1)])
def test_force_rows_are_slopes_by_weights(activation, nodes):
    network, weights, inputs, generator = case(activation, nodes)
    rows, atoms = np.array([0, 0, 1, 3]), np.array([0, 2, 1, 1])
    directions = generator.normal(size=(4, nodes[0]))

    def forces(w):
        gradient = network.sweep(w, inputs).input_gradient
        return np.bincount(rows, (gradient[atoms] * directions).sum(axis=1), minlength=4)

    jacobian = np.zeros((4, len(weights)))
    network.add_force_rows(
        weights, network.sweep(weights, inputs), rows, atoms, directions, jacobian
    )
    np.testing.assert_allclose(jacobian, slopes_by_weights(forces, weights), atol=1e-7)
    assert not jacobian[2].any()


def test_an_exported_network_is_the_same_function():
    network, weights, inputs, _ = case(Activation.TANH)
    exported = network.export(weights)
    h = inputs
    for w, b, activation in zip(
        exported.weights, exported.biases, exported.activations, strict=True
    ):
        h = h @ w + b
        if activation is Activation.TANH:
            h = np.tanh(h)
    np.testing.assert_allclose(h[:, 0], network.sweep(weights, inputs).energies, rtol=1e-14)

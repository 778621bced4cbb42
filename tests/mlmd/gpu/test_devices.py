"""Which device is taken, and what is said where it can't be."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields

import numpy as np
import pytest

from mlmd.errors import InvalidInput
from mlmd.hdnnp import devices
from mlmd.hdnnp.calculator import HDNNPCalculator
from mlmd.hdnnp.devices import Device, ProcessorInstead, chosen_device, gpu_trouble, make_evaluator
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.potential import (
    Activation,
    ElementNetwork,
    Potential,
    Scaling,
    SymmetryFunction,
)
from mlmd.md import MDSettings, settings_from_mapping
from mlmd.md.forces import PotentialForces


def one_function(kind: int = 2) -> Potential:
    function = SymmetryFunction(kind, "H", ("H",), 1.0, 0.0, 0.0, 0.0, 3.0, shape="e" * (kind > 13))
    network = ElementNetwork((np.ones((1, 1)),), (np.zeros(1),), (Activation.LINEAR,))
    scaling = Scaling(np.zeros(1), np.ones(1), np.zeros(1), np.ones(1))
    return Potential(("H",), {"H": (function,)}, {"H": scaling}, {"H": network})


@pytest.mark.parametrize(
    ("said", "asked", "chosen"),
    [
        ("", None, Device.CPU),
        ("", "auto", Device.AUTO),
        ("gpu", None, Device.GPU),
        ("cpu", "auto", Device.CPU),
        ("cpu", "gpu", Device.GPU),
        ("gpu", "cpu", Device.CPU),
    ],
)
def test_what_is_asked_for_counts_more_than_the_environment(monkeypatch, said, asked, chosen):
    monkeypatch.setenv("MLMD_DEVICE", said)
    assert chosen_device(asked) is chosen


def test_an_unknown_device_is_refused_by_where_it_was_named(monkeypatch):
    with pytest.raises(InvalidInput, match=r"device: 'tpu'; expected cpu, gpu, auto"):
        chosen_device("tpu")
    monkeypatch.setenv("MLMD_DEVICE", "cuda")
    with pytest.raises(InvalidInput, match="MLMD_DEVICE: 'cuda'"):
        chosen_device(None)


def test_without_a_gpu_the_processor_computes_and_says_so_where_a_gpu_was_asked_for(monkeypatch):
    monkeypatch.setattr(devices, "gpu_trouble", lambda: "no GPU was found")
    potential = one_function()
    with pytest.warns(ProcessorInstead, match="The processor computes, not the GPU: no GPU"):
        evaluator = make_evaluator(potential, 1, "gpu")
    assert type(evaluator) is Evaluator
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert type(make_evaluator(potential, 1, "auto")) is Evaluator
        assert type(HDNNPCalculator(potential, 1).evaluator) is Evaluator


def test_functions_without_kernels_stay_on_the_processor(monkeypatch):
    monkeypatch.setattr(devices, "gpu_trouble", lambda: "")
    with pytest.warns(ProcessorInstead, match="symmetry functions of type 20"):
        assert type(make_evaluator(one_function(20), 1, "gpu")) is Evaluator


def test_what_a_potential_learns_to_say_later_is_not_left_out(monkeypatch):
    @dataclass(frozen=True)
    class Charged(Potential):
        charges: float = 0.0

    plain = one_function()
    said = {field.name: getattr(plain, field.name) for field in fields(plain)}
    monkeypatch.setattr(devices, "gpu_trouble", lambda: "")
    with pytest.warns(ProcessorInstead, match="charges of the potential"):
        assert type(make_evaluator(Charged(**said, charges=1.0), 1, "gpu")) is Evaluator


def test_few_atoms_stay_on_the_processor(monkeypatch):
    def never() -> str:
        raise AssertionError("looked for a GPU")

    monkeypatch.setattr(devices, "gpu_trouble", never)
    assert type(make_evaluator(one_function(), 1, "auto", atoms=100)) is Evaluator


def test_trouble_is_said_in_words():
    assert gpu_trouble() == "" or "GPU" in gpu_trouble() or "CUDA" in gpu_trouble()


def test_dynamics_take_the_device_of_their_settings(monkeypatch):
    monkeypatch.setattr(devices, "gpu_trouble", lambda: "no GPU was found")
    settings = settings_from_mapping({"stages": [{}], "device": "gpu"}, "spec.json")
    assert settings.device is Device.GPU
    assert MDSettings().device is Device.AUTO
    forces = PotentialForces(one_function(), 1, settings.device)
    x = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    with pytest.warns(ProcessorInstead, match="no GPU was found"):
        found = forces.compute(np.array([1, 1]), x, np.zeros((3, 3)), (False, False, False))
    assert found.forces[0, 0] == -found.forces[1, 0] != 0.0
    with pytest.raises(InvalidInput, match="device"):
        settings_from_mapping({"stages": [{}], "device": "tpu"}, "spec.json")

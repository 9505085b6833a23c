"""Central differences for every experiment with a function loss_and_grad, in every preset."""

import pytest

import behaviour
from catalog import stubs


def test_gradient_of_every_preset(stub):
    module = stubs.load(stub)
    if not hasattr(module, "loss_and_grad"):
        pytest.skip("no function loss_and_grad: other nets are checked by the folder's own oracles")
    for preset in stub.presets:
        behaviour.check_gradient(module, preset)


def test_wrong_gradient_is_caught(toy):
    stub = toy(("np.mean(error * batch.x, keepdims=True)", "np.mean(error * batch.x**3, keepdims=True)"))
    with pytest.raises(AssertionError, match="d loss / d w"):
        behaviour.check_gradient(stubs.load(stub), "headline")

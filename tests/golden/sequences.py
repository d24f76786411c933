"""Reference values for recurrent layers, from PyTorch: outputs, gradients by the inputs and by all parameters.

    python tests/golden/sequences.py > tests/golden/sequences.json
"""

import json
import sys

import torch

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)

STEPS, SAMPLES, INPUTS = 8, 2, 3


def numbers(tensor):
    return [float(value) for value in tensor.detach().flatten()]


def case(kind, units):
    layers = {
        "rnn": lambda: torch.nn.RNN(INPUTS, units, batch_first=True),
        "rnn_relu": lambda: torch.nn.RNN(INPUTS, units, nonlinearity="relu", batch_first=True),
        "gru": lambda: torch.nn.GRU(INPUTS, units, batch_first=True),
        "lstm": lambda: torch.nn.LSTM(INPUTS, units, batch_first=True),
    }
    layer = layers[kind]()
    x = torch.randn(SAMPLES, STEPS, INPUTS, requires_grad=True)
    y, state = layer(x)
    weight = torch.randn_like(y)
    (y * weight).sum().backward()
    last = torch.stack(list(state)) if isinstance(state, tuple) else state
    parameters = dict(layer.named_parameters())
    return {
        "kind": kind,
        "units": units,
        "x": numbers(x),
        "y": numbers(y),
        "last": numbers(last),
        "dy": numbers(weight),
        "dx": numbers(x.grad),
        "parameters": {name: numbers(value) for name, value in parameters.items()},
        "gradients": {name: numbers(value.grad) for name, value in parameters.items()},
    }


def convolution(units, taps, dilation):
    """A causal one: as many zeros before the first step as the first tap is back."""
    layer = torch.nn.Conv1d(INPUTS, units, taps, dilation=dilation)
    x = torch.randn(SAMPLES, STEPS, INPUTS, requires_grad=True)
    padded = torch.nn.functional.pad(x.transpose(1, 2), ((taps - 1) * dilation, 0))
    y = torch.tanh(layer(padded)).transpose(1, 2)
    weight = torch.randn_like(y)
    (y * weight).sum().backward()
    parameters = dict(layer.named_parameters())
    return {
        "kind": f"conv{taps}x{dilation}",
        "units": units,
        "x": numbers(x),
        "y": numbers(y),
        "dy": numbers(weight),
        "dx": numbers(x.grad),
        "parameters": {name: numbers(value) for name, value in parameters.items()},
        "gradients": {name: numbers(value.grad) for name, value in parameters.items()},
    }


cases = [case(kind, units) for kind in ["rnn", "rnn_relu", "gru", "lstm"] for units in [2, 5, 16]]
cases += [convolution(units, taps, dilation) for units, taps, dilation in [(2, 3, 1), (5, 2, 4), (16, 3, 2), (5, 1, 1)]]
json.dump({"torch": torch.__version__, "cases": cases}, sys.stdout)
print()

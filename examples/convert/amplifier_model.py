"""Turns a model of a guitar amplifier into a safetensors file and the type of a network of tuplenet.

    pip install safetensors numpy
    python examples/convert/amplifier_model.py model.json weights.safetensors
    python examples/convert/amplifier_model.py model.nam weights.safetensors

It reads two formats:

* JSON of RTNeural (https://github.com/jatinchowdhury18/RTNeural, python/model_utils.py): GRU, LSTM, Dense, causal Conv1D, and
  activations, with the weights as Keras has them;
* `.nam` files of Neural Amp Modeler (https://github.com/sdatkinson/neural-amp-modeler, nam/models/recurrent.py) whose
  architecture is LSTM.

It writes the file and prints what to paste: a network that is asked step by step, `NET.step(&mut state, &[sample])`, or block by
block, `NET.run(..)`. A `.nam` file has the state from which the amplifier starts; that is printed too. Anything else is
refused, and so is a file whose arrays do not have the sizes that it says.
"""

import json
import math

import numpy

import tuplenet_file
from tuplenet_file import Unknown

# How many steps the samples have for which outputs are compared.
STEPS = 16

ACTIVATIONS = {"": "Identity", "tanh": "Tanh", "relu": "Relu", "sigmoid": "Sigmoid", "softmax": "Softmax", "elu": "Elu"}


def entry_of(value, name, kind, place):
    """An entry of a JSON object."""
    if not isinstance(value, dict) or name not in value:
        raise Unknown(f"{place}: expected `{name}`, found none")
    found = value[name]
    if not isinstance(found, kind) or isinstance(found, bool):
        what = {int: "a whole number", str: "a text", list: "a list", dict: "an object"}[kind]
        raise Unknown(f"{place}: expected {what} as `{name}`, found {str(found)[:40]}")
    return found


def array_of(values, shape, place):
    try:
        array = numpy.array(values, numpy.float32)
    except (ValueError, TypeError, OverflowError):
        raise Unknown(f"{place}: expected values in lists of the sizes {shape}, found something else")
    if array.shape != shape:
        raise Unknown(f"{place}: expected the sizes {shape}, found {array.shape}")
    return array


def size_of(value, place):
    """The last size of a shape."""
    size = value[-1] if value else None
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= 4096:
        raise Unknown(f"{place}: expected a number of features from 1 to 4096, found {size}")
    return size


def regated(array, order):
    """The rows of a matrix or a vector, gate by gate in another order."""
    return array.reshape(len(order), -1, *array.shape[1:])[order].reshape(array.shape)


def rtneural_layers(model):
    if not isinstance(model.get("layers"), list) or not model["layers"]:
        raise Unknown("expected at least one layer in the list `layers`, found none")
    size = size_of(entry_of(model, "in_shape", list, "model"), "in_shape")
    for index, layer in enumerate(model["layers"]):
        kind = entry_of(layer, "type", str, f"layer {index}")
        place = f"layer {index}, {kind}"
        outputs = size_of(entry_of(layer, "shape", list, place), f"{place}, shape")
        activation = layer.get("activation", "")
        if not isinstance(activation, str) or activation not in ACTIVATIONS:
            raise Unknown(f"{place}: expected an activation among {', '.join(filter(None, ACTIVATIONS))}, found {activation!r}")
        name = ACTIVATIONS[activation]
        common = {"inputs": (STEPS, size), "outputs": (STEPS, outputs), "activation": name, "tensors": {}}
        if kind == "activation":
            if outputs != size:
                raise Unknown(f"{place}: expected as many outputs as inputs, {size}, found {outputs}")
            yield {**common, "kind": "Activate", **({"each_step": True} if name == "Softmax" else {})}
            continue
        arrays = entry_of(layer, "weights", list, place)
        expected = {"dense": 2, "time-distributed-dense": 2, "conv1d": 2, "gru": 3, "lstm": 3}.get(kind)
        if expected is None:
            what = "dense, time-distributed-dense, conv1d, gru, lstm and activation"
            raise Unknown(f"{place}: expected a layer among {what}, found {kind}")
        if len(arrays) != expected:
            raise Unknown(f"{place}: expected {expected} arrays of weights, found {len(arrays)}")
        sizes = lambda number, *shape: array_of(arrays[number], shape, f"{place}, weights {number}")  # noqa: B023, E731
        if kind == "conv1d":
            taps = size_of(entry_of(layer, "kernel_size", list, place), f"{place}, kernel_size")
            dilation = size_of(entry_of(layer, "dilation", list, place), f"{place}, dilation")
            if layer.get("groups", 1) != 1:
                raise Unknown(f"{place}: expected no groups, found {layer['groups']}")
            if name == "Softmax":
                raise Unknown(f"{place}: expected an elementwise activation, found softmax")
            yield {**common, "kind": "Conv1d", "taps": taps, "reach": (taps - 1) * dilation, "activation": name, "tensors": {
                "weight": sizes(0, taps, size, outputs).transpose(2, 1, 0), "bias": sizes(1, outputs),
            }}  # fmt: skip
        elif expected == 2:
            tensors = {"weight": sizes(0, size, outputs).T, "bias": sizes(1, outputs)}
            yield {**common, "kind": "Dense", "each_step": True, "tensors": tensors}
        else:
            # Keras has the update gate of a GRU first. An activation that is written beside them is theirs anyway.
            order = [1, 0, 2] if kind == "gru" else [0, 1, 2, 3]
            if activation not in ("", "tanh"):
                raise Unknown(f"{place}: expected tanh, found {activation}")
            gates = len(order) * outputs
            bias = sizes(2, 2, gates) if kind == "gru" else [sizes(2, gates), numpy.zeros(gates, numpy.float32)]
            values = [sizes(0, size, gates).T, sizes(1, outputs, gates).T, *bias]
            names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
            tensors = {name: regated(array, order) for name, array in zip(names, values)}
            yield {**common, "kind": kind.title(), "units": outputs, "directions": 1, "tensors": tensors}
        size = outputs


def nam_layers(model):
    """The layers of a `.nam` file; each LSTM with the state from which it starts."""
    architecture = entry_of(model, "architecture", str, "model")
    if architecture != "LSTM":
        raise Unknown(f"expected the architecture LSTM, found {architecture}; tuplenet has no layers for others")
    config = entry_of(model, "config", dict, "model")
    inputs, units, count = (entry_of(config, name, int, "config") for name in ("input_size", "hidden_size", "num_layers"))
    if min(inputs, units, count) < 1 or max(inputs, units, count) > 4096:
        raise Unknown(f"config: expected sizes from 1 to 4096, found {inputs}, {units} and {count}")
    if any(config.get(name, 1) != 1 for name in ("in_channels", "out_channels")):
        raise Unknown("config: expected one channel in and out, found more")
    weights = entry_of(model, "weights", list, "model")
    sizes = [inputs, *[units] * (count - 1)]
    expected = sum(4 * units * (size + units) + 6 * units for size in sizes) + units + 1
    if len(weights) != expected:
        raise Unknown(f"weights: expected {expected} values for these sizes, found {len(weights)}")
    weights, at = array_of(weights, (expected,), "weights"), 0

    def take(*shape):
        nonlocal at
        part = weights[at : at + math.prod(shape)].reshape(shape)
        at += math.prod(shape)
        return part

    for size in sizes:
        # Those by the inputs and those by the state side by side; the sum of both biases; the state.
        both, bias, hidden, cell = take(4 * units, size + units), take(4 * units), take(units), take(units)
        tensors = {"weight_ih_l0": both[:, :size], "weight_hh_l0": both[:, size:], "bias_ih_l0": bias}
        yield {"kind": "Lstm", "inputs": (STEPS, size), "outputs": (STEPS, units), "units": units, "directions": 1,
               "state": (hidden, cell), "tensors": {**tensors, "bias_hh_l0": numpy.zeros_like(bias)}}  # fmt: skip
    yield {"kind": "Dense", "inputs": (STEPS, units), "outputs": (STEPS, 1), "activation": "Identity", "each_step": True,
           "tensors": {"weight": take(1, units), "bias": take(1)}}  # fmt: skip


def layers_of(model):
    if not isinstance(model, dict) or not ("layers" in model or "architecture" in model):
        raise Unknown("expected a file of RTNeural, with `in_shape` and `layers`, or a `.nam` file, with `architecture`, found "
                      "neither")  # fmt: skip
    layers = list(nam_layers(model) if "architecture" in model else rtneural_layers(model))
    layers[0]["any_steps"] = True
    return layers


def sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


def softmax(x):
    powers = numpy.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def outputs_of(model, samples):
    """What the file says, computed as its format has it, from a state of zeros."""
    x = samples.reshape(len(samples), STEPS, -1).astype(numpy.float64)
    if "architecture" in model:
        for layer in (layers := layers_of(model))[:-1]:
            tensors, units = layer["tensors"], layer["units"]
            both = numpy.concatenate([tensors["weight_ih_l0"], tensors["weight_hh_l0"]], axis=1)
            h = c = numpy.zeros((len(x), units))
            steps = []
            for step in range(STEPS):
                sums = numpy.concatenate([x[:, step], h], axis=1) @ both.T + tensors["bias_ih_l0"]
                i, f, g, o = (sums[:, gate * units : (gate + 1) * units] for gate in range(4))
                c = sigmoid(f) * c + sigmoid(i) * numpy.tanh(g)
                h = sigmoid(o) * numpy.tanh(c)
                steps.append(h)
            x = numpy.stack(steps, axis=1)
        return (x @ layers[-1]["tensors"]["weight"].T + layers[-1]["tensors"]["bias"]).reshape(len(x), -1)
    for layer in model["layers"]:
        arrays = [numpy.array(array, numpy.float32).astype(numpy.float64) for array in layer.get("weights", [])]
        x = rtneural_output(layer, arrays, x)
    return x.reshape(len(x), -1)


def rtneural_output(layer, arrays, x):
    kind, activation = layer["type"], layer.get("activation", "")
    if kind in ("gru", "lstm"):
        kernel, recurrent, bias = arrays
        units = len(recurrent)
        h = c = numpy.zeros((len(x), units))
        steps = []
        for step in range(STEPS):
            if kind == "gru":
                a, b = x[:, step] @ kernel + bias[0], h @ recurrent + bias[1]
                z, r = sigmoid(a[:, :units] + b[:, :units]), sigmoid(a[:, units:-units] + b[:, units:-units])
                h = z * h + (1 - z) * numpy.tanh(a[:, -units:] + r * b[:, -units:])
            else:
                i, f, g, o = numpy.split(x[:, step] @ kernel + h @ recurrent + bias, 4, axis=1)
                c = sigmoid(f) * c + sigmoid(i) * numpy.tanh(g)
                h = sigmoid(o) * numpy.tanh(c)
            steps.append(h)
        return numpy.stack(steps, axis=1)
    if kind == "conv1d":
        taps, dilation = layer["kernel_size"][-1], layer["dilation"][-1]
        padded = numpy.pad(x, ((0, 0), ((taps - 1) * dilation, 0), (0, 0)))
        x = sum(padded[:, tap * dilation : tap * dilation + STEPS] @ arrays[0][tap] for tap in range(taps)) + arrays[1]
    elif kind != "activation":
        x = x @ arrays[0] + arrays[1]
    functions = {
        "": lambda x: x, "tanh": numpy.tanh, "relu": lambda x: numpy.maximum(x, 0), "sigmoid": sigmoid,
        "elu": lambda x: numpy.where(x > 0, x, numpy.expm1(numpy.minimum(x, 0))),
        "softmax": softmax,
    }  # fmt: skip
    return functions[activation](x)


def samples_of(model):
    return tuplenet_file.random_samples(math.prod(layers_of(model)[0]["inputs"]))


def write(model, path):
    """Writes the file of a model; gives the type of the network."""
    return tuplenet_file.write(layers_of(model), path, lambda samples: outputs_of(model, samples), samples_of(model))


def state_of(model):
    """What a program needs to start from the state in the file, if that is not zero."""
    states = [layer.get("state") for layer in layers_of(model)]
    if not any(state is not None and numpy.any(state) for state in states):
        return ""
    lines = ["// Before the first sample:", "let mut state = NET.state();"]
    for index, state in enumerate(states):
        if state is not None:
            hidden, cell = (", ".join(repr(float(str(value))) for value in values) for values in state)
            # Of a nested tuple, if there are many layers.
            widest = tuplenet_file.WIDEST
            place = index if len(states) <= widest else f"{index // widest}.{index % widest}"
            lines.append(f"state.{place} = [[{hidden}], [{cell}]];")
    return "\n".join(["", *lines])


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


if __name__ == "__main__":
    tuplenet_file.command(__doc__, "JSON", load, write, state_of)

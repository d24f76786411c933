"""Layers of sequences in Keras, for keras_model.py."""

import numpy
from keras import layers as k

import keras_layers
from keras_layers import activation_of, as_numpy, check_settings, refuse, take

LAYERS = (
    k.SimpleRNN, k.GRU, k.LSTM, k.Bidirectional, k.TimeDistributed, k.Conv1D, k.GlobalAveragePooling1D, k.GlobalMaxPooling1D,
)  # fmt: skip

# The name of the layer here, and where its gates are in Keras.
GATES = {k.SimpleRNN: ("Rnn", [0]), k.GRU: ("Gru", [1, 0, 2]), k.LSTM: ("Lstm", [0, 1, 2, 3])}

# The activations of an `Rnn` and a `Conv1d`: their derivative follows from their output.
FROM_OUTPUT = ("Identity", "Relu", "LeakyRelu", "Elu", "Selu", "Sigmoid", "HardSigmoid", "Tanh", "Softplus", "Softsign")


def layers_of(layer, sizes):
    """What is written of a layer with sequences of these sizes: steps and features."""
    kind = type(layer)
    common = {"inputs": sizes, "outputs": sizes[1:], "tensors": {}, "back": lambda tensors: []}
    if kind in (k.GlobalAveragePooling1D, k.GlobalMaxPooling1D):
        check_settings(layer, data_format="channels_last", keepdims=False)
        return [{**common, "kind": "MeanOverTime" if kind is k.GlobalAveragePooling1D else "MaxOverTime"}]
    if kind is k.TimeDistributed:
        inside = layer.layer
        if type(inside) in (k.Dense, k.BatchNormalization, k.LayerNormalization, k.Dropout, *keras_layers.ACTIVATION_LAYERS):
            return [{**keras_layers.layer_of(inside, sizes, None), "layer": inside}]
        refuse(layer, f"expected a TimeDistributed Dense, normalization, Dropout or activation, found {type(inside).__name__}")
    if kind is k.Conv1D:
        return [{**common, **causal(layer, sizes)}]
    if kind is k.Bidirectional:
        return bidirectional(layer, sizes)
    return [{**common, **recurrent([layer], sizes)}, *last(layer, sizes)]


def chosen(layer):
    """The activation of a layer, if it can be that of an `Rnn` and a `Conv1d`."""
    activation = activation_of(layer)
    if activation.split("<")[0] not in FROM_OUTPUT:
        refuse(layer, f"expected an activation among {', '.join(FROM_OUTPUT)}, found {activation}")
    return activation


def last(layer, sizes):
    """What comes after a layer that gives the last output alone."""
    if layer.return_sequences:
        return []
    size = (sizes[0], layer.units)
    return [{"kind": "Last", "inputs": size, "outputs": size[1:], "tensors": {}, "back": lambda tensors: []}]


def recurrent(layers, sizes):
    """A recurrent layer, or that and the one of the other direction."""
    layer = layers[0]
    name, order = GATES[type(layer)]
    found = {"kind": name, "units": layer.units, "directions": len(layers), "outputs": (sizes[0], layer.units * len(layers))}
    check_settings(layer, return_state=False, stateful=False)
    if len(layers) == 1:
        check_settings(layer, go_backwards=False)
    if name == "Rnn":
        activation = chosen(layer)
        found["parameter"] = activation
    else:
        for setting in "activation", "recurrent_activation":
            expected = {"activation": "tanh", "recurrent_activation": "sigmoid"}[setting]
            function = getattr(getattr(layer, setting), "__name__", getattr(layer, setting))
            if keras_layers.ACTIVATIONS.get(getattr(layer, setting)) != expected.title():
                refuse(layer, f"expected {setting}={expected!r}, found {function!r}")
    if name == "Gru" and not layer.reset_after:
        found["parameter"] = "Before"
    tensors, backs = {}, []
    for layer, suffix in zip(layers, ("", "_reverse")):
        arrays, back = direction(layer, suffix, order)
        tensors.update(arrays)
        backs.append(back)
    return {**found, "tensors": tensors, "back": lambda tensors: [entry for back in backs for entry in back(tensors)]}


def direction(layer, suffix, order):
    """The tensors of a layer, and the variables that they go into."""
    cell, units = layer.cell, layer.units
    gates = lambda array: array.reshape(len(order), units, *array.shape[1:])[order].reshape(array.shape)  # noqa: E731
    inverse = numpy.argsort(order)
    ungated = lambda array: array.reshape(len(order), units, *array.shape[1:])[inverse].reshape(array.shape)  # noqa: E731
    weight_ih, weight_hh = (gates(as_numpy(kernel).T) for kernel in (cell.kernel, cell.recurrent_kernel))
    zeros = numpy.zeros(len(order) * units, weight_ih.dtype)
    two = type(layer) is k.GRU and layer.reset_after
    bias = as_numpy(cell.bias) if cell.bias is not None else zeros
    bias_ih, bias_hh = (gates(part) for part in (bias if two and cell.bias is not None else (bias, zeros)))
    take(cell, "kernel", "recurrent_kernel", "bias", of=layer)
    names = [f"{name}_l0{suffix}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]

    def back(tensors):
        weight_ih, weight_hh, bias_ih, bias_hh = (tensors[name] for name in names)
        # There is one bias where two are added up anyway.
        bias = numpy.stack([ungated(bias_ih), ungated(bias_hh)]) if two else ungated(bias_ih + bias_hh)
        return [(cell.kernel, ungated(weight_ih).T, None), (cell.recurrent_kernel, ungated(weight_hh).T, None), (cell.bias, bias, 0)]

    return dict(zip(names, (weight_ih, weight_hh, bias_ih, bias_hh))), back


def bidirectional(layer, sizes):
    layers = [layer.forward_layer, layer.backward_layer]
    if type(layers[0]) not in GATES or type(layers[0]) is not type(layers[1]):
        kinds = " and ".join(type(inside).__name__ for inside in layers)
        refuse(layer, f"expected two SimpleRNN, GRU or LSTM, found {kinds}")
    if layer.merge_mode != "concat":
        refuse(layer, f"expected merge_mode='concat', found {layer.merge_mode!r}")
    if not layer.return_sequences:
        refuse(layer, "expected return_sequences=True, found False, which takes the outputs of both directions from different steps; "
                      "put a GlobalAveragePooling1D or GlobalMaxPooling1D after it")  # fmt: skip
    first, second = ({name: getattr(inside, name, None) for name in ("units", "reset_after", "activation")} for inside in layers)
    if first != second:
        refuse(layer, f"expected the same settings in both directions, found {first} and {second}")
    return [{"inputs": sizes, **recurrent(layers, sizes)}]


def causal(layer, sizes):
    [taps], [dilation] = layer.kernel_size, layer.dilation_rate
    check_settings(layer, data_format="channels_last", strides=1, groups=1)
    if layer.padding != "causal" and taps > 1:
        refuse(layer, f"expected padding='causal', found {layer.padding!r}")
    if getattr(layer, "lora_enabled", False):
        refuse(layer, "expected a layer without LoRA, whose weights are in two places")
    weight = as_numpy(layer.kernel).transpose(2, 1, 0)
    bias = as_numpy(layer.bias) if layer.bias is not None else numpy.zeros(len(weight), weight.dtype)
    take(layer, "_kernel", "kernel", "bias")
    return {
        "kind": "Conv1d", "outputs": (sizes[0], len(weight)), "taps": taps, "reach": (taps - 1) * dilation,
        "activation": chosen(layer), "tensors": {"weight": weight, "bias": bias},
        "back": lambda tensors: [(layer.kernel, tensors["weight"].transpose(2, 1, 0), None), (layer.bias, tensors["bias"], 0)],
    }  # fmt: skip

"""Turns a Keras model into a safetensors file and the type of a network of tuplenet.

    pip install keras safetensors numpy        and one of tensorflow, jax, torch
    python examples/convert/keras_model.py model.keras weights.safetensors

It writes the file and prints what to paste. The model is a chain of Dense, Dropout, BatchNormalization,
LayerNormalization, Flatten and activations, each as a layer or within Dense. In a program, `write(model, path)` gives the
type, and `read(model, path)` sets a model of the same layers to a file that a network of tuplenet was saved to.

BatchNormalization of Keras adds another epsilon to the variance, 0.001; the difference goes into the variance, so that the
outputs are the same.
"""

import os
import sys

if "KERAS_BACKEND" not in os.environ:
    from importlib.util import find_spec

    os.environ["KERAS_BACKEND"] = next((name for name in ("tensorflow", "jax", "torch") if find_spec(name)), "tensorflow")

import keras
import numpy

import tuplenet_file

# Keras's names of functions, and ours.
ACTIVATIONS = {
    "linear": "Identity", "relu": "Relu", "leaky_relu": "LeakyRelu<200>", "elu": "Elu", "selu": "Selu", "gelu": "Gelu",
    "silu": "Silu", "swish": "Silu", "sigmoid": "Sigmoid", "hard_sigmoid": "HardSigmoid", "tanh": "Tanh",
    "softplus": "Softplus", "softsign": "Softsign", "softmax": "Softmax",
}  # fmt: skip

# What `BatchNorm` adds to the variance.
EPSILON = 1e-5


class Unknown(Exception):
    """What can't be turned into a layer, and why."""


def refuse(layer, what):
    raise Unknown(f"layer `{layer.name}`, {type(layer).__name__}: {what}")


def units(layer, what, value, unit, per_one):
    """How many times `unit` a value is: a whole number, up to the roundings of an f32. None but zero becomes zero."""
    value = float(value)
    count = round(value * per_one) if numpy.isfinite(value) else -1
    if count < 0 or abs(count - value * per_one) > 1e-6 * count:
        refuse(layer, f"expected {what} in whole {unit}, found {value}")
    return count


def leaky(layer, slope):
    thousandths = units(layer, "a slope", slope, "thousandths", 1000)
    return f"LeakyRelu<{thousandths}>" if thousandths else "Relu"


def activation_of(layer):
    """The name of the activation that a layer is or has."""
    kind = type(layer).__name__
    if kind == "LeakyReLU":
        return leaky(layer, layer.negative_slope)
    if kind == "ReLU":
        if layer.max_value is not None or layer.threshold:
            refuse(layer, "expected no largest value and no threshold")
        return leaky(layer, layer.negative_slope)
    if kind == "ELU":
        if layer.alpha != 1:
            refuse(layer, f"expected alpha 1, found {layer.alpha}")
        return "Elu"
    if kind == "Softmax":
        if layer.axis != -1:
            refuse(layer, f"expected axis -1, found {layer.axis}")
        return "Softmax"
    name = getattr(layer.activation, "__name__", type(layer.activation).__name__)
    if name not in ACTIVATIONS:
        refuse(layer, f"expected an activation among {', '.join(ACTIVATIONS)}, found {name}")
    return ACTIVATIONS[name]


def check_last_axis(layer, shape):
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    if axes not in ([-1], [len(shape) - 1]):
        refuse(layer, f"expected the last axis, found {layer.axis}")


def chain(model):
    """The layers one after the other, those of models inside too."""
    before = None
    for layer in model.layers:
        if type(layer).__name__ == "InputLayer":
            before = before if before is not None else layer.output
            continue
        if before is not None and layer.input is not before and not isinstance(model, keras.Sequential):
            refuse(layer, "expected a chain of layers, found another input than the output of the layer before")
        if isinstance(layer, keras.Model):
            yield from chain(layer)
        else:
            yield layer
        before = layer.output


def as_numpy(values):
    array = keras.ops.convert_to_numpy(values)
    return array if array.dtype == numpy.float64 else array.astype(numpy.float32)


def layers_of(model):
    """The layers of a built model, as `tuplenet_file` wants them."""
    size = None
    for layer in chain(model):
        kind, shape = type(layer).__name__, tuple(layer.input.shape)
        if kind == "Flatten":
            size = int(numpy.prod(shape[1:]))
            continue
        if len(shape) != 2:
            refuse(layer, f"expected inputs with one axis beside that of samples, found {shape}")
        size = shape[1]
        common = {"layer": layer, "inputs": size, "outputs": size, "tensors": {}}
        if kind == "Dense":
            weight = as_numpy(layer.kernel).T
            outputs = weight.shape[0]
            bias = as_numpy(layer.bias) if layer.use_bias else numpy.zeros(outputs, weight.dtype)
            yield {**common, "kind": "Dense", "outputs": outputs, "activation": activation_of(layer),
                   "tensors": {"weight": weight, "bias": bias}}  # fmt: skip
        elif kind == "Dropout":
            thousandths = units(layer, "a rate", layer.rate, "thousandths", 1000)
            if layer.noise_shape is not None or not 0 <= thousandths < 1000:
                refuse(layer, f"expected a rate below 1 and no shape of the noise, found {layer.rate}, {layer.noise_shape}")
            yield {**common, "kind": "Dropout", "thousandths": thousandths}
        elif kind == "BatchNormalization":
            check_last_axis(layer, shape)
            mean, variance = as_numpy(layer.moving_mean), as_numpy(layer.moving_variance)
            shift = variance.dtype.type(layer.epsilon - EPSILON)
            if (variance + shift < 0).any():
                refuse(layer, f"expected variances of at least {EPSILON - layer.epsilon} with this epsilon")
            yield {**common, "kind": "BatchNorm", "tensors": {
                "weight": as_numpy(layer.gamma) if layer.scale else numpy.ones(size, mean.dtype),
                "bias": as_numpy(layer.beta) if layer.center else numpy.zeros(size, mean.dtype),
                "running_mean": mean, "running_var": variance + shift,
                # Keras does not count.
                "num_batches_tracked": numpy.array(0, numpy.int64),
            }}  # fmt: skip
        elif kind == "LayerNormalization":
            check_last_axis(layer, shape)
            billionths = units(layer, "an epsilon", layer.epsilon, "billionths", 10**9)
            if billionths == 0:
                refuse(layer, "expected an epsilon above zero, found 0")
            if getattr(layer, "rms_scaling", False):
                refuse(layer, "expected no rms_scaling")
            number = numpy.dtype(layer.variable_dtype)
            yield {**common, "kind": "LayerNorm", "billionths": billionths, "tensors": {
                "weight": as_numpy(layer.gamma) if layer.scale else numpy.ones(size, number),
                "bias": as_numpy(layer.beta) if layer.center else numpy.zeros(size, number),
            }}  # fmt: skip
        elif kind in ("Activation", "ReLU", "LeakyReLU", "ELU", "Softmax"):
            yield {**common, "kind": "Activate", "activation": activation_of(layer)}
        else:
            refuse(layer, "expected Dense, Dropout, BatchNormalization, LayerNormalization, Flatten or an activation")


def write(model, path):
    """Writes the file of a model; gives the type of the network."""
    return tuplenet_file.write(list(layers_of(model)), path)


def read(model, path):
    """Sets the weights of a model to those of a file with a network of the same layers."""
    for found in tuplenet_file.read(list(layers_of(model)), path):
        layer, tensors = found["layer"], found["tensors"]
        if found["kind"] == "Dense":
            layer.kernel.assign(tensors["weight"].T)
            set_or_compare(layer, layer.bias if layer.use_bias else None, tensors["bias"], 0)
        elif found["kind"] in ("BatchNorm", "LayerNorm"):
            set_or_compare(layer, layer.gamma if layer.scale else None, tensors["weight"], 1)
            set_or_compare(layer, layer.beta if layer.center else None, tensors["bias"], 0)
            if found["kind"] == "BatchNorm":
                layer.moving_mean.assign(tensors["running_mean"])
                layer.moving_variance.assign(tensors["running_var"] - (layer.epsilon - EPSILON))


def set_or_compare(layer, variable, values, constant):
    """Sets a variable; where the layer has none, the numbers must be the constant that it stands for."""
    if variable is not None:
        variable.assign(values)
    elif not (values == constant).all():
        refuse(layer, f"expected all numbers of what the layer does not have to be {constant}")


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    try:
        network = write(keras.models.load_model(sys.argv[1], compile=False), sys.argv[2])
    except Unknown as unknown:
        raise SystemExit(f"{sys.argv[1]}: {unknown}")
    print(tuplenet_file.program(network, sys.argv[2]))


if __name__ == "__main__":
    main()

"""Turns a Keras model into a safetensors file and the type of a network of tuplenet.

    pip install keras safetensors numpy        and one of tensorflow, jax, torch
    python examples/convert/keras_model.py model.keras weights.safetensors

It writes the file and prints what to paste. The model is Sequential or functional, and from its input to its output a chain
of Dense, Dropout, BatchNormalization, LayerNormalization and activations, each as a layer or within Dense, and of models of
such layers. Flatten, Reshape and Identity are left out: a network takes and gives its values row by row. A layer that is
applied several times is written as often. Anything else is refused, and so is a model whose outputs for random samples are
not those of what would be written.

In a program, `write(model, path)` gives the type, and `read(model, path)` sets a model of the same layers to a file that a
network of tuplenet was saved to. On a GPU, where products of f32 may have fewer bits, `write(model, path, tolerance=1e-2)`
allows outputs to be further off. A model that computes in 16 bits is written, and compared, as one that computes in f32.

BatchNormalization of Keras adds another epsilon to the variance, 0.001; the difference goes into the variance (and where
that would be below zero, into the gain), so that the outputs are the same.
"""

import os

if "KERAS_BACKEND" not in os.environ:
    from importlib.util import find_spec

    os.environ["KERAS_BACKEND"] = next((name for name in ("tensorflow", "jax", "torch") if find_spec(name)), "tensorflow")
if __name__ == "__main__":
    # Outputs are compared, and those of a CPU are exact.
    os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy
from keras import layers as k
from keras.src.models.functional import Functional

import tuplenet_file
from tuplenet_file import EPSILON, TOLERANCE, Unknown

# Keras's functions, and ours. They are recognised as themselves: somebody else's may have the same name.
NAMES = {
    "linear": "Identity", "relu": "Relu", "leaky_relu": "LeakyRelu<20>", "elu": "Elu", "selu": "Selu", "gelu": "Gelu",
    "silu": "Silu", "sigmoid": "Sigmoid", "hard_sigmoid": "HardSigmoid", "tanh": "Tanh", "softplus": "Softplus",
    "softsign": "Softsign", "softmax": "Softmax",
}  # fmt: skip
ACTIVATIONS = {getattr(keras.activations, name): ours for name, ours in NAMES.items()}
# keras.ops has most of them once more; its GELU is another one.
ACTIVATIONS.update({getattr(keras.ops, name): ours for name, ours in NAMES.items() if name not in ("linear", "gelu")})

# What is of no use in prediction, or changes only how the values are arranged.
LEFT_OUT = (k.Flatten, k.Reshape, k.Identity, k.ActivityRegularization)

ADVICE = {
    k.Rescaling: "scale the samples before they are given to the model",
    k.Normalization: "scale the samples before they are given to the model",
    k.GaussianNoise: "it does nothing in prediction: make the model without it",
    k.GaussianDropout: "it does nothing in prediction: make the model without it, or use Dropout",
    k.AlphaDropout: "it does nothing in prediction: make the model without it, or use Dropout",
    k.Lambda: "use layers for what it does",
}


def refuse(operation, what):
    kind = "model" if isinstance(operation, keras.Model) else "layer" if isinstance(operation, keras.Layer) else "operation"
    raise Unknown(f"{kind} `{operation.name}`, {type(operation).__name__}: {what}")


def leaky(layer, factor):
    if factor == 0:
        return "Relu"
    percent = tuplenet_file.whole(factor, 100)
    if percent is None:
        refuse(layer, f"expected a negative_slope in per cent, found {factor}")
    return f"LeakyRelu<{percent}>"


def activation_of(layer):
    """The name of the activation that a layer is."""
    kind = type(layer)
    if kind is k.LeakyReLU:
        return leaky(layer, layer.negative_slope)
    if kind is k.ReLU:
        if layer.max_value is not None or layer.threshold:
            refuse(layer, f"expected no max_value and no threshold, found {layer.max_value} and {layer.threshold}")
        return leaky(layer, layer.negative_slope)
    if kind is k.ELU:
        if layer.alpha != 1:
            refuse(layer, f"expected alpha 1, found {layer.alpha}")
        return "Elu"
    if kind is k.Softmax:
        if layer.axis not in (-1, 1, [-1], [1], (-1,), (1,)):
            refuse(layer, f"expected axis -1, found {layer.axis}")
        return "Softmax"
    if kind is k.Activation or kind is k.Dense:
        function = layer.activation
        if type(function) in ACTIVATION_LAYERS:
            return activation_of(function)
        try:
            return ACTIVATIONS[function]
        except (KeyError, TypeError):
            name = getattr(function, "__name__", type(function).__name__)
            module = getattr(function, "__module__", type(function).__module__)
            refuse(layer, f"expected an activation of Keras among {', '.join(NAMES)}, found `{name}` of {module}")
    refuse(layer, "expected an activation")


ACTIVATION_LAYERS = (k.Activation, k.ReLU, k.LeakyReLU, k.ELU, k.Softmax)


def check_last_axis(layer):
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    if axes not in ([-1], [1]):
        refuse(layer, f"expected the last axis, found {layer.axis}")


def graph_of(model):
    """The functional graph of a model that computes this graph and nothing else."""
    if not isinstance(model, keras.Model):
        raise Unknown(f"expected a model of Keras 3, found {type(model).__module__}.{type(model).__name__}")
    for kind in keras.Sequential, Functional:
        same = type(model).call is kind.call and type(model).__call__ is kind.__call__
        if isinstance(model, kind) and same:
            graph = model._functional if kind is keras.Sequential else model
            if graph is None:
                refuse(model, "expected a model that is built, found one without sizes; add a keras.Input, or call it once")
            return graph
    refuse(model, "expected a Sequential or functional model, found a class with a `call` of its own, into which nobody sees; "
                  "make it keras.Model(inputs, outputs)")  # fmt: skip


def single(model, tensors, what):
    if len(tensors) != 1:
        refuse(model, f"expected one {what}, found {len(tensors)}; write a model for each, keras.Model(input, output)")
    return tensors[0]


def chain(model):
    """Each layer with the shape of its input, in the order in which they are applied, those of models inside too."""
    graph = graph_of(model)
    first, tensor = single(model, graph.inputs, "input"), single(model, graph.outputs, "output")
    found = []
    while tensor is not first:
        operation, index, _ = tensor._keras_history
        node = operation._inbound_nodes[index]
        tensors = node.input_tensors
        if len(tensors) != 1:
            refuse(operation, f"expected a chain of layers, found {len(tensors)} tensors that come together; write each chain "
                              "as a model of its own, keras.Model(input, output); a skip connection is `Residual` in Rust")  # fmt: skip
        if not isinstance(operation, keras.Layer):
            refuse(operation, "expected a chain of layers, found an operation on a tensor; use a layer for it, such as "
                              "keras.layers.Activation, or change the weights of the layer before")  # fmt: skip
        for value in keras.tree.flatten((node.arguments.args, node.arguments.kwargs)):
            if value is not tensors[0] and value is not None and value is not False:
                refuse(operation, f"expected a call with a tensor alone, found another argument (such as `training`): {value}")
        if isinstance(operation, keras.Model):
            found.append(list(chain(operation)))
        else:
            found.append([(operation, tuple(tensors[0].shape))])
        tensor = tensors[0]
    return [entry for entries in reversed(found) for entry in entries]


def as_numpy(values):
    array = keras.ops.convert_to_numpy(values)
    return array if array.dtype == numpy.float64 else array.astype(numpy.float32)


def layers_of(model):
    """The layers of a built model, as `tuplenet_file` wants them."""
    found = []
    taken = set()
    for layer, shape in chain(model):
        kind = type(layer)
        if getattr(layer, "quantization_mode", None) is not None:
            refuse(layer, f"expected weights as they were trained, found them quantized to {layer.quantization_mode}; "
                          "write the model from before `quantize`")  # fmt: skip
        if kind in LEFT_OUT:
            if getattr(layer, "data_format", None) == "channels_first" and len(shape) > 2:
                refuse(layer, "expected data_format channels_last, found channels_first, which changes the order of the values")
            continue
        if len(shape) != 2 and kind in (k.Dense, k.Dropout, k.BatchNormalization, k.LayerNormalization, *ACTIVATION_LAYERS):
            refuse(layer, f"expected inputs with one axis beside that of samples, found {shape}; put a Flatten before it")
        found.append({"layer": layer, **layer_of(layer, shape[-1])})
        taken.update(id(variable) for variable in layer.weights)
    for variable in model.weights:
        if id(variable) not in taken:
            name = getattr(variable, "path", variable.name)
            raise Unknown(f"variable `{name}`: expected that it belongs to a layer between input and output, found it elsewhere")
    return found


def layer_of(layer, size):
    """What is written of a layer with inputs of that size."""
    kind = type(layer)
    common = {"inputs": size, "outputs": size, "tensors": {}}
    if kind is k.Dense:
        # With LoRA switched on, the property has its part in it.
        weight = as_numpy(layer.kernel).T
        outputs = weight.shape[0]
        bias = as_numpy(layer.bias) if layer.bias is not None else numpy.zeros(outputs, weight.dtype)
        activation = activation_of(layer)
        take(layer, "_kernel", "bias", *(["lora_kernel_a", "lora_kernel_b"] if layer.lora_enabled else []))
        return {**common, "kind": "Dense", "outputs": outputs, "activation": activation,
                "tensors": {"weight": weight, "bias": bias}}  # fmt: skip
    if kind is k.Dropout:
        percent = tuplenet_file.whole(layer.rate, 100)
        if layer.noise_shape is not None:
            refuse(layer, f"expected no noise_shape, found {layer.noise_shape}")
        if percent is None or percent >= 100:
            refuse(layer, f"expected a rate in per cent below 1, found {layer.rate}; it can be set, `layer.rate = 0.33`")
        return {**common, "kind": "Dropout", "percent": percent}
    if kind is k.BatchNormalization:
        check_last_axis(layer)
        mean, variance = as_numpy(layer.moving_mean), as_numpy(layer.moving_variance)
        gain = as_numpy(layer.gamma) if layer.scale else numpy.ones(size, mean.dtype)
        # In f64, because the epsilons may be much larger than the variance.
        ours = variance.astype(numpy.float64) + (layer.epsilon - EPSILON)
        with numpy.errstate(all="ignore"):
            gain = gain * numpy.where(ours < 0, numpy.sqrt(EPSILON / (ours + EPSILON)), 1).astype(mean.dtype)
        others = ["moving_stddev", "renorm_mean", "renorm_stddev"] if getattr(layer, "renorm", False) else []
        take(layer, "gamma", "beta", "moving_mean", "moving_variance", *others)
        return {**common, "kind": "BatchNorm", "tensors": {
            "weight": gain,
            "bias": as_numpy(layer.beta) if layer.center else numpy.zeros(size, mean.dtype),
            "running_mean": mean, "running_var": numpy.maximum(ours, 0).astype(mean.dtype),
            # Keras does not count.
            "num_batches_tracked": numpy.array(0, numpy.int64),
        }}  # fmt: skip
    if kind is k.LayerNormalization:
        check_last_axis(layer)
        epsilon_nanos = tuplenet_file.whole(layer.epsilon, 10**9)
        if not epsilon_nanos:
            refuse(layer, f"expected an epsilon in units of 1e-9, at least one, found {layer.epsilon}")
        if getattr(layer, "rms_scaling", False):
            refuse(layer, "expected no rms_scaling")
        number = numpy.float64 if layer.variable_dtype == "float64" else numpy.float32
        take(layer, "gamma", "beta")
        return {**common, "kind": "LayerNorm", "epsilon_nanos": epsilon_nanos, "tensors": {
            "weight": as_numpy(layer.gamma) if layer.scale else numpy.ones(size, number),
            "bias": as_numpy(layer.beta) if layer.center else numpy.zeros(size, number),
        }}  # fmt: skip
    if kind in ACTIVATION_LAYERS:
        return {**common, "kind": "Activate", "activation": activation_of(layer)}
    what = "expected Dense, Dropout, BatchNormalization, LayerNormalization, Flatten or an activation"
    if kind.__name__ in ("Dense", "Dropout", "BatchNormalization", "LayerNormalization"):
        what += f" of Keras itself, found the class of {kind.__module__}"
    refuse(layer, f"{what}; {ADVICE[kind]}" if kind in ADVICE else what)


def take(layer, *names):
    """Refuses a layer with other variables than those that are written."""
    known = {id(getattr(layer, name, None)) for name in names}
    for variable in layer.weights:
        if id(variable) not in known:
            refuse(layer, f"expected no other variables than {', '.join(names)}, found `{variable.name}`")


class In32Bits:
    """A model computes in f32 what it computes in 16 bits otherwise."""

    def __init__(self, model):
        kinds = ("float16", "bfloat16")
        self.before = [(layer, layer.dtype_policy) for layer in model._flatten_layers() if layer.compute_dtype in kinds]

    def __enter__(self):
        for layer, _ in self.before:
            layer.dtype_policy = "float32"

    def __exit__(self, *_):
        for layer, policy in self.before:
            layer.dtype_policy = policy


def outputs_of(model, samples):
    """What a model gives for samples, one a row."""
    graph = graph_of(model)
    shape = graph.inputs[0].shape
    # Some models want always as many samples.
    batch = shape[0] or len(samples)
    parts = []
    for first in range(0, len(samples), batch):
        part = numpy.resize(samples[first : first + batch], (batch, *shape[1:]))
        outputs = model(keras.tree.map_structure(lambda _: part, graph.input), training=False)
        [outputs] = keras.tree.flatten(outputs)
        parts.append(keras.ops.convert_to_numpy(outputs).reshape(batch, -1))
    return numpy.concatenate(parts)[: len(samples)]


def samples_of(model):
    tensor = graph_of(model).inputs[0]
    if None in tensor.shape[1:]:
        refuse(model, f"expected an input whose sizes are known, found {tensor.shape}")
    kind = keras.backend.standardize_dtype(tensor.dtype)
    if "float" not in kind and "int" not in kind:
        refuse(model, f"expected an input of numbers, found {kind}")
    for group in tuplenet_file.random_samples(int(numpy.prod(tensor.shape[1:]))):
        yield group if "float" in kind else numpy.minimum(numpy.rint(abs(group) * 10), 100).astype(kind)


def write(model, path, tolerance=TOLERANCE):
    """Writes the file of a model; gives the type of the network."""
    graph_of(model)
    with In32Bits(model):
        layers = layers_of(model)
        return tuplenet_file.write(layers, path, lambda samples: outputs_of(model, samples), samples_of(model), tolerance)


def read(model, path):
    """Sets the weights of a model to those of a file with a network of the same layers."""
    values = []
    for found in tuplenet_file.read(layers_of(model), path):
        layer, tensors = found["layer"], found["tensors"]
        if found["kind"] == "Dense":
            if layer.lora_enabled:
                refuse(layer, "expected a layer without LoRA, into which the weights go")
            values.append((layer, layer.kernel, tensors["weight"].T, None))
            values.append((layer, layer.bias, tensors["bias"], 0))
        elif found["kind"] in ("BatchNorm", "LayerNorm"):
            values.append((layer, layer.gamma if layer.scale else None, tensors["weight"], 1))
            values.append((layer, layer.beta if layer.center else None, tensors["bias"], 0))
            if found["kind"] == "BatchNorm":
                values.append((layer, layer.moving_mean, tensors["running_mean"], None))
                values.append((layer, layer.moving_variance, tensors["running_var"] - (layer.epsilon - EPSILON), None))
    # All is looked at before the first variable changes.
    first = {}
    for layer, variable, array, constant in values:
        if variable is None and not (array == constant).all():
            refuse(layer, f"expected all values of what the layer does not have to be {constant}")
        if not numpy.array_equal(first.setdefault(id(variable), array), array) and variable is not None:
            refuse(layer, "expected the same values each time that the layer is applied, found others")
    for _, variable, array, _ in values:
        if variable is not None:
            variable.assign(array)


def load(path):
    return keras.models.load_model(path, compile=False)


if __name__ == "__main__":
    tuplenet_file.command(__doc__, "Keras", load, write)

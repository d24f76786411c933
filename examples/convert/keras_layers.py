"""What keras_model.py and the scripts beside it share: refusals, activations, and the layers of features."""

import keras
import numpy
from keras import layers as k

import tuplenet_file
from tuplenet_file import EPSILON, Unknown

# Keras's functions, and ours. They are recognised as themselves: somebody else's may have the same name.
NAMES = {
    "linear": "Identity", "relu": "Relu", "leaky_relu": "LeakyRelu<20>", "elu": "Elu", "selu": "Selu", "gelu": "Gelu",
    "silu": "Silu", "sigmoid": "Sigmoid", "hard_sigmoid": "HardSigmoid", "tanh": "Tanh", "softplus": "Softplus",
    "softsign": "Softsign", "softmax": "Softmax",
}  # fmt: skip
ACTIVATIONS = {getattr(keras.activations, name): ours for name, ours in NAMES.items()}
# keras.ops has most of them once more; its GELU is another one.
ACTIVATIONS.update({getattr(keras.ops, name): ours for name, ours in NAMES.items() if name not in ("linear", "gelu")})

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


def activation_of(layer, last=1):
    """The name of the activation that a layer is; `last` is the number of the last axis."""
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
        if layer.axis not in (-1, [-1], (-1,), last, [last], (last,)):
            refuse(layer, f"expected axis -1, found {layer.axis}")
        return "Softmax"
    if hasattr(layer, "activation"):
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


def check_last_axis(layer, last):
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    if axes not in ([-1], [last]):
        refuse(layer, f"expected the last axis, found {layer.axis}")


def as_numpy(values):
    array = keras.ops.convert_to_numpy(values)
    return array if array.dtype == numpy.float64 else array.astype(numpy.float32)


def take(layer, *names, of=None):
    """Refuses a layer with other variables than those that are written; `layer` is a part of the layer `of`, if there is one."""
    of = of or layer
    known = {id(getattr(layer, name, None)) for name in names}
    for variable in of.weights:
        if id(variable) not in known:
            refuse(of, f"expected no other variables than {', '.join(names)}, found `{variable.name}`")


def check_settings(layer, **settings):
    """Refuses a layer with other settings than these."""
    for name, expected in settings.items():
        found = getattr(layer, name, expected)
        if found != expected and not (isinstance(found, tuple) and set(found) == {expected}):
            refuse(layer, f"expected {name}={expected!r}, found {found!r}")


def ordered(array, order):
    return array if order is None else array[order]


def unordered(array, order):
    """What `ordered` has made this array of."""
    if order is None:
        return array
    before = numpy.empty_like(array)
    before[order] = array
    return before


def layer_of(layer, sizes, order):
    """What is written of a layer with inputs of these sizes; `order` is where Keras has each of our features.

    `back` gives the variables of Keras for arrays of ours: each with its values and, if there is no such variable, the constant
    that all of them must be.
    """
    kind, size, last = type(layer), sizes[0] if len(sizes) == 3 else sizes[-1], len(sizes)
    common = {"inputs": sizes, "outputs": sizes, "tensors": {}, "back": lambda tensors: []}
    each_step = {"each_step": True} if len(sizes) == 2 else {}
    if kind is k.Dense:
        return {**common, **each_step, **dense(layer, sizes, order)}
    if kind in (k.Dropout, k.SpatialDropout1D, k.SpatialDropout2D):
        percent = tuplenet_file.whole(layer.rate, 100)
        if kind is k.Dropout and layer.noise_shape is not None:
            refuse(layer, f"expected no noise_shape, found {layer.noise_shape}")
        if percent is None or percent >= 100:
            refuse(layer, f"expected a rate in per cent below 1, found {layer.rate}; it can be set, `layer.rate = 0.33`")
        return {**common, "kind": "Dropout", "percent": percent}
    if kind is k.BatchNormalization:
        check_last_axis(layer, last)
        mean, variance = as_numpy(layer.moving_mean), as_numpy(layer.moving_variance)
        gain = as_numpy(layer.gamma) if layer.scale else numpy.ones(size, mean.dtype)
        # In f64, because the epsilons may be much larger than the variance.
        ours = variance.astype(numpy.float64) + (layer.epsilon - EPSILON)
        with numpy.errstate(all="ignore"):
            gain = gain * numpy.where(ours < 0, numpy.sqrt(EPSILON / (ours + EPSILON)), 1).astype(mean.dtype)
        others = ["moving_stddev", "renorm_mean", "renorm_stddev"] if getattr(layer, "renorm", False) else []
        take(layer, "gamma", "beta", "moving_mean", "moving_variance", *others)
        tensors = {
            "weight": gain,
            "bias": as_numpy(layer.beta) if layer.center else numpy.zeros(size, mean.dtype),
            "running_mean": mean, "running_var": numpy.maximum(ours, 0).astype(mean.dtype),
        }  # fmt: skip
        # Keras does not count.
        count = {"num_batches_tracked": numpy.array(0, numpy.int64)}
        statistics = lambda tensors: [  # noqa: E731
            (layer.moving_mean, tensors["running_mean"], None),
            (layer.moving_variance, tensors["running_var"] - (layer.epsilon - EPSILON), None),
        ]
        return {**common, **each_step, **vectors(layer, tensors, order, statistics, count), "kind": "BatchNorm"}
    if kind is k.LayerNormalization:
        check_last_axis(layer, last)
        if last == 3:
            refuse(layer, "expected features or a sequence, found images; tuplenet has no layer for that")
        epsilon_nanos = tuplenet_file.whole(layer.epsilon, 10**9)
        if not epsilon_nanos:
            refuse(layer, f"expected an epsilon in units of 1e-9, at least one, found {layer.epsilon}")
        if getattr(layer, "rms_scaling", False):
            refuse(layer, "expected no rms_scaling")
        number = numpy.float64 if layer.variable_dtype == "float64" else numpy.float32
        take(layer, "gamma", "beta")
        tensors = {
            "weight": as_numpy(layer.gamma) if layer.scale else numpy.ones(size, number),
            "bias": as_numpy(layer.beta) if layer.center else numpy.zeros(size, number),
        }
        found = vectors(layer, tensors, order, lambda tensors: [], {})
        return {**common, **each_step, **found, "kind": "LayerNorm", "epsilon_nanos": epsilon_nanos}
    if kind in ACTIVATION_LAYERS:
        activation = activation_of(layer, last)
        if activation == "Softmax" and last == 3:
            refuse(layer, "expected an elementwise activation of an image, found Softmax")
        return {**common, **(each_step if activation == "Softmax" else {}), "kind": "Activate", "activation": activation}
    what = "expected a layer that tuplenet has, such as Dense, Conv2D, MaxPooling2D, GRU, LSTM, BatchNormalization, Dropout or an activation"
    if kind.__name__ in ("Dense", "Dropout", "BatchNormalization", "LayerNormalization"):
        what += f" of Keras itself, found the class of {kind.__module__}"
    refuse(layer, f"{what}; {ADVICE[kind]}" if kind in ADVICE else what)


def dense(layer, sizes, order):
    if len(sizes) == 3:
        refuse(layer, f"expected features or a sequence, found images of the sizes {sizes}; put a Flatten before it")
    # With LoRA switched on, the property has its part in it.
    weight = ordered(as_numpy(layer.kernel), order).T
    outputs = weight.shape[0]
    bias = as_numpy(layer.bias) if layer.bias is not None else numpy.zeros(outputs, weight.dtype)
    activation = activation_of(layer)
    take(layer, "_kernel", "bias", *(["lora_kernel_a", "lora_kernel_b"] if layer.lora_enabled else []))

    def back(tensors):
        if layer.lora_enabled:
            refuse(layer, "expected a layer without LoRA, into which the weights go")
        return [(layer.kernel, unordered(tensors["weight"].T, order), None), (layer.bias, tensors["bias"], 0)]

    return {"kind": "Dense", "outputs": (*sizes[:-1], outputs), "activation": activation,
            "tensors": {"weight": weight, "bias": bias}, "back": back}  # fmt: skip


def vectors(layer, tensors, order, others, count):
    """A normalization, whose tensors have a value for each feature."""

    def back(tensors):
        tensors = {name: array if name in count else unordered(array, order) for name, array in tensors.items()}
        return [
            (layer.gamma if layer.scale else None, tensors["weight"], 1),
            (layer.beta if layer.center else None, tensors["bias"], 0),
            *others(tensors),
        ]

    return {"tensors": {**{name: ordered(array, order) for name, array in tensors.items()}, **count}, "back": back}


def reorder_outputs(entry, order):
    """The layer with its outputs in another order: the new ones are at these places of the old. None, if it can't have."""
    kind, tensors, before = entry["kind"], entry["tensors"], entry["back"]
    if kind not in ("Dense", "BatchNorm", "LayerNorm") or entry.get("activation") == "Softmax":
        return None
    arranged = {name: array if array.ndim == 0 else array[order] for name, array in tensors.items()}

    def back(tensors):
        return before({name: array if array.ndim == 0 else unordered(array, order) for name, array in tensors.items()})

    return {**entry, "tensors": arranged, "back": back}

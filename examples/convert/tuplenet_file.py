"""What the scripts beside this one share: layers as they are listed here become a file and the type of a network.

A layer is a dictionary: `kind` (Dense, Activate, Dropout, BatchNorm, LayerNorm, Input), `inputs` and `outputs`, what its type needs,
and under `tensors` its arrays with the names and sizes that PyTorch gives them. What it computes is written here once more,
in NumPy: before a file is written, its outputs must be those of the model.
"""

import math
import os
import sys
import tempfile

import numpy
from safetensors.numpy import load_file, save

# As many layers as a tuple holds.
WIDEST = 8

# What `BatchNorm` adds to the variance.
EPSILON = 1e-5

# How far an output may be from the model's, as a part of the largest one: where f32 rounds usually, and at most, where both
# lose digits.
TOLERANCE, LARGEST_TOLERANCE = 1e-5, 1e-3


class Unknown(Exception):
    """What can't be turned into a network, and why."""


def whole(share, unit):
    """How many of a unit's parts a setting is; none if it is not a number of them, but for rounding to f32."""
    share = float(share)
    if not math.isfinite(share):
        return None
    parts = round(share * unit)
    return parts if abs(parts / unit - share) <= 1e-6 * abs(share) else None


def layer_type(layer, number):
    """The type of a layer with numbers of the type `number`."""
    kind, size = layer["kind"], layer["outputs"]
    last = "" if number == "f32" else f", {number}"
    if kind == "Dense":
        return f"Dense<{layer['inputs']}, {size}, {layer['activation']}{last}>"
    if kind == "Input":
        return f"Input<Features<{size}>{last}>"
    if kind == "Activate":
        return layer["activation"]
    if kind == "Dropout":
        return f"Dropout<{layer['percent']}>"
    if kind == "LayerNorm" and layer["epsilon_nanos"] != 10_000:
        return f"LayerNorm<{size}, {number}, {layer['epsilon_nanos']:_}>"
    return f"{kind}<{size}{last}>"


def nest(layers):
    """Tuples of tuples, none with more elements than a tuple of layers may have."""
    first = layers[0]
    if first["kind"] in ("Activate", "Dropout"):
        # It takes any number of inputs: the type of a network begins with one that says how many.
        layers = [{**first, "kind": "Input", "tensors": {}}, *layers]
    while len(layers) > WIDEST:
        parts = [layers[first : first + WIDEST] for first in range(0, len(layers), WIDEST)]
        # A tuple of one is none.
        layers = [part if len(part) > 1 else part[0] for part in parts]
    return layers if len(layers) > 1 else layers[0]


def type_of(tree, number):
    if isinstance(tree, list):
        return "(" + ", ".join(type_of(element, number) for element in tree) + ")"
    return layer_type(tree, number)


def modules(tree):
    """How many modules of a torch.nn.Sequential it is."""
    if isinstance(tree, dict) and tree["kind"] == "Input":
        return 0
    return 2 if isinstance(tree, dict) and tree["kind"] == "Dense" and tree["activation"] != "Identity" else 1


def named(tree, path=""):
    """Gives each layer with what the names of its tensors begin with."""
    module = 0
    for element in tree if isinstance(tree, list) else [tree]:
        inside = f"{path}{module}."
        if isinstance(element, list):
            yield from named(element, inside)
        else:
            yield inside, element
        module += modules(element)


def each(values, function):
    return numpy.array([function(value) for value in values.flat], values.dtype).reshape(values.shape)


def activate(name, x):
    """What an activation of tuplenet computes; each sample is a row."""
    negative = numpy.minimum(x, 0)
    if name.startswith("LeakyRelu<"):
        return numpy.where(x > 0, x, x * x.dtype.type(int(name[len("LeakyRelu<") : -1]) / 100))
    if name == "Identity":
        return x
    if name == "Relu":
        return numpy.maximum(x, 0)
    if name == "Elu":
        return numpy.where(x > 0, x, numpy.expm1(negative))
    if name == "Selu":
        scale, alpha = 1.0507009873554805, 1.6732632423543772
        return scale * numpy.where(x > 0, x, alpha * numpy.expm1(negative))
    if name == "Gelu":
        return x * each(x, lambda value: math.erfc(-value / math.sqrt(2)) / 2)
    if name == "Silu":
        return x * activate("Sigmoid", x)
    if name == "Sigmoid":
        # Of the negative side alone, where the exponential does not overflow.
        small = numpy.exp(-numpy.abs(x))
        return numpy.where(x < 0, small, 1) / (1 + small)
    if name == "HardSigmoid":
        return numpy.clip(x / 6 + x.dtype.type(0.5), 0, 1)
    if name == "Tanh":
        return numpy.tanh(x)
    if name == "Softplus":
        return numpy.logaddexp(x, 0)
    if name == "Softsign":
        return x / (1 + numpy.abs(x))
    if name == "Softmax":
        powers = numpy.exp(x - x.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    raise Unknown(f"expected an activation of tuplenet, found {name}")


def normalize(x, mean, square, tensors):
    """As a difference of two products, as Keras has it, so that f32 loses as many digits here."""
    factor = tensors["weight"] / numpy.sqrt(square)
    return x * factor - mean * factor + tensors["bias"]


def compute(layers, x):
    """The outputs of a network, one sample a row, in the precision of the inputs."""
    for layer in layers:
        kind = layer["kind"]
        tensors = {name: array.astype(x.dtype) for name, array in layer["tensors"].items()}
        if kind == "Dense":
            x = activate(layer["activation"], x @ tensors["weight"].T + tensors["bias"])
        elif kind == "Activate":
            x = activate(layer["activation"], x)
        elif kind == "BatchNorm":
            x = normalize(x, tensors["running_mean"], tensors["running_var"] + x.dtype.type(EPSILON), tensors)
        elif kind == "LayerNorm":
            square = x.var(axis=1, keepdims=True) + x.dtype.type(layer["epsilon_nanos"] / 1e9)
            x = normalize(x, x.mean(axis=1, keepdims=True), square, tensors)
        elif kind not in ("Dropout", "Input"):
            raise Unknown(f"expected a layer of tuplenet, found {kind}")
    return x


def compare(layers, number, samples, outputs_of, tolerance):
    """Refuses layers whose outputs are not those of the model."""
    outputs = numpy.asarray(outputs_of(samples), numpy.float64)
    if not numpy.isfinite(outputs).all():
        raise Unknown("expected outputs that are finite, found others for small random samples; nothing was written")
    with numpy.errstate(all="ignore"):
        exact = compute(layers, samples.astype(numpy.float64))
        if exact.shape != outputs.shape:
            raise Unknown(f"expected outputs of the sizes {outputs.shape}, found {exact.shape}; nothing was written")
        # What the precision costs: here, and there, where inputs that differ in their last digits should give the same.
        rounding = numpy.abs(compute(layers, samples.astype(number)) - exact).max()
        if samples.dtype.kind == "f":
            last = 4 * numpy.finfo(number).eps * numpy.random.default_rng(1).uniform(-1, 1, samples.shape)
            nearly = outputs_of(samples * (1 + last))
            rounding = max(rounding, numpy.abs(nearly - outputs).max())
        largest = numpy.abs(exact).max()
    limit = max(tolerance, min(10 * rounding / largest, LARGEST_TOLERANCE)) * largest if largest > 0 else tolerance
    error = numpy.abs(exact - outputs).max()
    # In this way round because of NaN.
    if not error <= limit:
        raise Unknown(
            "the model computes something that its layers do not say, or that can't be had in its precision: expected outputs "
            f"within {limit:.1e} of the model's for random samples, found {error:.1e}; nothing was written"
        )


def random_samples(columns, center=0.0, spread=1.0):
    """Small and large samples, as of data with that mean and deviation, the same for each model of a size."""
    random = numpy.random.default_rng(0)
    for scale in 0.1, 1.0, 10.0:
        fraction, exponent = numpy.frexp(random.normal(scale=scale, size=(64, columns)).astype(numpy.float32))
        # Values that 16 bits hold too.
        yield center + spread * numpy.ldexp(numpy.rint(fraction * 128) / 128, exponent)


def write(layers, path, outputs_of, samples, tolerance=TOLERANCE):
    """Writes the file of a network; gives its type in Rust.

    `outputs_of` gives the model's outputs for samples, one a row. Where those of the layers are others for one of the given
    `samples`, nothing is written.
    """
    if not layers:
        raise Unknown("expected at least one layer, found none")
    kinds = {array.dtype for layer in layers for array in layer["tensors"].values() if array.dtype != numpy.int64}
    number = "f64" if numpy.dtype("float64") in kinds else "f32"
    dtype = {"f32": numpy.float32, "f64": numpy.float64}[number]
    for layer in layers:
        layer["tensors"] = {
            name: array if array.dtype == numpy.int64 else array.astype(dtype) for name, array in layer["tensors"].items()
        }
        for name, array in layer["tensors"].items():
            if not numpy.isfinite(array).all():
                raise Unknown(f"expected finite values, found others in `{name}` of a {layer['kind']} layer")
    for group in samples:
        compare(layers, dtype, group, outputs_of, tolerance)

    tree = nest(layers)
    tensors = {path + name: array for path, layer in named(tree) for name, array in layer["tensors"].items()}
    replace(path, save({name: array.copy(order="C") for name, array in tensors.items()}))
    return type_of(tree, number)


def replace(path, content):
    """Writes a file as a whole or not at all."""
    path = os.path.abspath(path)
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(path), prefix=".", suffix=".part", delete=False) as file:
        try:
            file.write(content)
            file.close()
            # Such a file is its owner's alone; this one is as others are.
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(file.name, 0o666 & ~mask)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def read(layers, path):
    """Gives the layers with the tensors of the file, which must be theirs."""
    found = load_file(path)
    result = []
    for path, layer in named(nest(layers)):
        tensors = {}
        for name, array in layer["tensors"].items():
            if path + name not in found:
                raise Unknown(f"tensor {path}{name}: expected {array.shape}, found none")
            tensors[name] = found.pop(path + name)
            if tensors[name].shape != array.shape:
                raise Unknown(f"tensor {path}{name}: expected {array.shape}, found {tensors[name].shape}")
        result.append({**layer, "tensors": tensors})
    if found:
        raise Unknown(f"expected no other tensors, found {sorted(found)}")
    return result


def program(network, path):
    """What a program needs to have the network."""
    return f"""use tuplenet::layers::*;
use tuplenet::prelude::*;

type Net = {network};

static NET: Net = tuplenet::include_weights!("{path}");"""


def command(usage, library, load, write):
    """The command line of a script: loads the model that the first argument names, and writes it to the second."""
    if len(sys.argv) != 3:
        raise SystemExit(usage)
    source, to = sys.argv[1:]
    try:
        model = load(source)
    except Exception as error:
        # Of what is missing, damaged, or of classes that are not here.
        raise SystemExit(f"{source}: {library} can't load it: {error}")
    try:
        network = write(model, to)
    except Unknown as unknown:
        raise SystemExit(f"{source}: {unknown}")
    except OSError as error:
        raise SystemExit(f"{to}: {error}")
    print(program(network, to))

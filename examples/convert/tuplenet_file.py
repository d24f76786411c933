"""What the scripts beside this one share: layers as they are listed here become a file and the type of a network.

A layer is a dictionary: `kind` is the name of its type (or Activate), `inputs` and `outputs` are the sizes of what comes in and
goes out, what its type needs besides is under names of its own, and under `tensors` are its arrays with the names and sizes
that PyTorch gives them. Sizes are `(features,)`, `(channels, rows, columns)` or `(steps, features)`; `each_step` says that it
is a layer for each step. What it computes is written once more, in compute.py beside this file: before a file is written, its
outputs must be those of the model.
"""

import math
import os
import sys
import tempfile

import numpy
from safetensors.numpy import load_file, save

from compute import EPSILON, Unknown, compute

# As many layers as a tuple holds.
WIDEST = 8

# How far an output may be from the model's, as a part of the largest one: where f32 rounds usually, and at most, where both
# lose digits.
TOLERANCE, LARGEST_TOLERANCE = 1e-5, 1e-3


def whole(share, unit):
    """How many of a unit's parts a setting is; none if it is not a number of them, but for rounding to f32."""
    share = float(share)
    if not math.isfinite(share):
        return None
    parts = round(share * unit)
    return parts if abs(parts / unit - share) <= 1e-6 * abs(share) else None


def shape(sizes):
    """The name of the shape with these sizes."""
    return f"{[None, 'Features', 'Sequence', 'Image'][len(sizes)]}<{', '.join(map(str, sizes))}>"


def layer_type(layer, number):
    """The type of a layer with numbers of the type `number`."""
    if layer.get("each_step"):
        return f"Steps<{layer_type({**layer, 'each_step': False}, number)}>"
    kind, size = layer["kind"], layer["outputs"][-1]
    last = "" if number == "f32" else f", {number}"
    if kind == "Dense":
        return f"Dense<{layer['inputs'][-1]}, {size}, {layer['activation']}{last}>"
    if kind == "Input":
        return f"Input<{shape(layer['outputs'])}{last}>"
    if kind == "Activate":
        return layer["activation"]
    if kind == "Dropout":
        return f"Dropout<{layer['percent']}>"
    if kind in ("Last", "MeanOverTime", "MaxOverTime"):
        return kind
    if kind == "LayerNorm" and layer["epsilon_nanos"] != 10_000:
        return f"LayerNorm<{size}, {number}, {layer['epsilon_nanos']:_}>"
    if kind == "BatchNorm":
        return f"BatchNorm<{len(layer['tensors']['weight'])}{last}>"
    if kind == "LayerNorm":
        return f"LayerNorm<{size}{last}>"
    if kind in ("Rnn", "Gru", "Lstm"):
        parameter = layer.get("parameter", "After" if kind == "Gru" and last else None)
        parameter = f", {parameter}" if parameter else ""
        inside = f"{kind}<{layer['inputs'][1]}, {layer['units']}{parameter}{last}>"
        return f"Bidirectional<{inside}, {2 * layer['units']}>" if layer["directions"] == 2 else inside
    if kind == "Conv1d":
        return f"Conv1d<{layer['inputs'][1]}, {size}, {layer['taps']}, {layer['reach']}, {layer['activation']}{last}>"
    between = f"{shape(layer['inputs'])}, {shape(layer['outputs'])}"
    if kind == "Flatten":
        return f"Flatten<{shape(layer['inputs'])}, {size}{last}>"
    if kind == "Unflatten":
        return f"Unflatten<{layer['inputs'][0]}, {shape(layer['outputs'])}{last}>"
    if kind == "GlobalAveragePool":
        return f"GlobalAveragePool<{shape(layer['inputs'])}{last}>"
    if kind == "Upsample":
        return f"Upsample<{between}, {layer['kernel']}{last}>"
    # What has a default is left out if nothing comes after it.
    kernel = layer["kernel"]
    if kind in ("MaxPool", "AveragePool"):
        words, parameters = [str(kernel)], [(layer["stride"], kernel), (layer["padding"], 0)]
    else:
        depth = [str(layer["depth"])] if kind == "GroupedConv2d" else []
        words = [str(kernel), *depth, layer["activation"]]
        parameters = [(layer["stride"], 1), (layer["padding"], 0), (layer["dilation"], 1)]
    while parameters and not last and parameters[-1][0] == parameters[-1][1]:
        parameters.pop()
    return f"{kind}<{between}, {', '.join([*words, *(str(value) for value, _ in parameters)])}{last}>"


def nest(layers):
    """Tuples of tuples, none with more elements than a tuple of layers may have."""
    first = layers[0]
    any_shape = ("Activate", "Dropout") if len(first["inputs"]) == 1 else ("Activate", "Dropout", "BatchNorm")
    # Layers of sequences take any number of steps, too.
    if first["kind"] in any_shape or len(first["inputs"]) == 2 and not first.get("any_steps"):
        # The type of a network begins with one that says what it takes.
        start = {"kind": "Input", "inputs": first["inputs"], "outputs": first["inputs"], "tensors": {}}
        layers = [start, *layers]
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
    with_activation = ("Dense", "Conv2d", "GroupedConv2d", "ConvTranspose2d")
    if isinstance(tree, dict) and tree["kind"] in with_activation and not tree.get("each_step"):
        return 1 if tree["activation"] == "Identity" else 2
    return 1


def named(tree, path=""):
    """Gives each layer with what the names of its tensors begin with."""
    module = 0
    for element in tree if isinstance(tree, list) else [tree]:
        inside = f"{path}{module}."
        if isinstance(element, dict) and element.get("each_step"):
            inside += "0."
        if isinstance(element, list):
            yield from named(element, inside)
        else:
            yield inside, element
        module += modules(element)


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


def command(usage, library, load, write, more=lambda model: ""):
    """The command line of a script: loads the model that the first argument names, and writes it to the second. What `more`
    gives is printed after the type."""
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
    print(program(network, to) + more(model))

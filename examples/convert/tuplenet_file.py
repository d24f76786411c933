"""What the scripts beside this one share: layers as they are listed here become a file and the type of a network.

A layer is a dictionary: `kind` (Dense, Activate, Dropout, BatchNorm, LayerNorm), `inputs` and `outputs`, what its type needs,
and under `tensors` its arrays with the names and sizes that PyTorch gives them.
"""

import numpy
from safetensors.numpy import load_file, save_file

# As many layers as a tuple holds.
WIDEST = 8


def layer_type(layer, number):
    """The type of a layer with numbers of the type `number`."""
    kind, size = layer["kind"], layer["outputs"]
    last = "" if number == "f32" else f", {number}"
    if kind == "Dense":
        return f"Dense<{layer['inputs']}, {size}, {layer['activation']}{last}>"
    if kind == "Activate":
        return f"Activate<{size}, {layer['activation']}{last}>"
    if kind == "Dropout":
        return f"Dropout<{size}, {layer['thousandths']}{last}>"
    if kind == "LayerNorm" and layer["billionths"] != 10_000:
        return f"LayerNorm<{size}, {number}, {layer['billionths']:_}>"
    return f"{kind}<{size}{last}>"


def nest(layers):
    """Tuples of tuples, none with more elements than a tuple of layers may have."""
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


def write(layers, path):
    """Writes the file of a network; gives its type in Rust."""
    if not layers:
        raise SystemExit("expected at least one layer, found none")
    tree = nest(layers)
    tensors = {path + name: array for path, layer in named(tree) for name, array in layer["tensors"].items()}
    kinds = {array.dtype for array in tensors.values() if array.dtype != numpy.int64}
    number = "f64" if numpy.dtype("float64") in kinds else "f32"
    save_file({name: array.copy(order="C") for name, array in tensors.items()}, path)
    return type_of(tree, number)


def read(layers, path):
    """Gives the layers with the tensors of the file, which must be theirs."""
    found = load_file(path)
    result = []
    for path, layer in named(nest(layers)):
        tensors = {name: found.pop(path + name) for name in layer["tensors"]}
        for name, array in tensors.items():
            expected = layer["tensors"][name].shape
            if array.shape != expected:
                raise SystemExit(f"tensor {path}{name}: expected {expected}, found {array.shape}")
        result.append({**layer, "tensors": tensors})
    if found:
        raise SystemExit(f"expected no other tensors, found {sorted(found)}")
    return result


def program(network, path):
    """What a program needs to have the network."""
    return f"""use tuplenet::layers::*;
use tuplenet::prelude::*;

type Net = {network};

static NET: Net = tuplenet::include_weights!("{path}");"""

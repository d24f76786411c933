"""Turns a Keras model into a safetensors file and the type of a network of tuplenet.

    pip install keras safetensors numpy        and one of tensorflow, jax, torch
    python examples/convert/keras_model.py model.keras weights.safetensors

It writes the file and prints what to paste. The model is Sequential or functional, and from its input to its output a chain
of layers that tuplenet has, and of models of such layers:

* of features: Dense, Dropout, BatchNormalization, LayerNormalization, and activations, as layers or within others;
* of images: Conv2D, DepthwiseConv2D, Conv2DTranspose, MaxPooling2D, AveragePooling2D, GlobalAveragePooling2D, UpSampling2D,
  Flatten, Reshape, and all but Dense and LayerNormalization of the above;
* of sequences: SimpleRNN, GRU, LSTM, Bidirectional, TimeDistributed, causal Conv1D, GlobalAveragePooling1D and
  GlobalMaxPooling1D, and all of the above that are of features, for each step.

A layer that is applied several times is written as often. Anything else is refused, and so is a model whose outputs for random
samples are not those of what would be written.

Keras has the channels of an image last, tuplenet first, as PyTorch: a network takes and gives `Image<channels, rows, columns>`,
and the weights of a Dense after Flatten, or before Reshape, are sorted accordingly. Where no layer of images or sequences is
between, Flatten and Reshape are left out: a network takes and gives its values row by row. SpatialDropout becomes `Dropout`,
which is the same in prediction. A dropout within a recurrent layer is left out.

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

import keras_images
import keras_layers
import keras_sequences
import tuplenet_file
from keras_layers import refuse
from tuplenet_file import TOLERANCE, Unknown

# What is of no use in prediction, or changes only how the values are arranged.
LEFT_OUT = (k.Flatten, k.Reshape, k.Identity, k.ActivityRegularization)

# The number of steps of samples, where a model takes any.
STEPS = 6


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


def sizes_of(shape):
    """The sizes of a sample here, and there, for a shape of Keras with the axis of samples."""
    there = shape[1:]
    return (there[2], *there[:2]) if len(there) == 3 else there


class Layers:
    """The layers of a model, as `tuplenet_file` wants them, while they are found one after the other."""

    def __init__(self):
        self.found = []
        # The sizes of what arrives at the next layer; none before the first layer that is written.
        self.sizes = None
        # What Keras makes of them, if they are features there with another shape.
        self.view = None
        # Where Keras has each of our features, if that is elsewhere.
        self.order = None

    def add(self, layer, entry):
        self.found.append({"layer": layer, **entry})
        self.sizes = tuple(entry["outputs"])
        self.view = self.sizes

    def arrange(self, layer, shape):
        """A layer that changes only how the values are arranged."""
        if getattr(layer, "data_format", None) == "channels_first" and len(shape) > 2:
            refuse(layer, "expected data_format channels_last, found channels_first, which changes the order of the values")
        if self.sizes is None or type(layer) not in (k.Flatten, k.Reshape):
            return
        after = tuple(layer.compute_output_shape(shape))[1:]
        if len(self.sizes) == 1:
            self.view = after
        elif len(self.sizes) == 2:
            if after != self.sizes:
                refuse(layer, "expected layers of a sequence, found one that mixes its steps; use return_sequences=False, "
                              "GlobalAveragePooling1D or GlobalMaxPooling1D")  # fmt: skip
        elif len(after) == 1:
            self.order = keras_images.image_order(self.sizes)
            features = (len(self.order),)
            self.add(layer, {"kind": "Flatten", "inputs": self.sizes, "outputs": features, "tensors": {}, "back": lambda tensors: []})
            self.drop_order_of_itself()
        elif after != (*self.sizes[1:], self.sizes[0]):
            refuse(layer, f"expected an image or features, found the shape {after}")

    def drop_order_of_itself(self):
        if self.order is not None and (self.order == numpy.arange(len(self.order))).all():
            self.order = None

    def unflatten(self, layer):
        """Features that Keras has as an image."""
        rows, columns, channels = self.view
        sizes = (channels, rows, columns)
        wanted = keras_images.image_order(sizes)
        current = numpy.arange(len(wanted)) if self.order is None else self.order
        if not (wanted == current).all():
            # The layer before gives them in this order: of each feature of ours, where it is now.
            moves = numpy.argsort(current)[wanted]
            for place in reversed(range(len(self.found))):
                entry = self.found[place]
                if entry["kind"] == "Dropout" or entry["kind"] == "Activate" and entry["activation"] != "Softmax":
                    continue
                changed = keras_layers.reorder_outputs(entry, moves)
                if changed is None:
                    refuse(layer, f"expected a Dense before the Reshape to an image of {channels} channels, whose outputs can be "
                                  f"sorted by channel, found {entry['kind']}")  # fmt: skip
                self.found[place] = changed
                if entry["kind"] == "Dense":
                    break
            else:
                refuse(layer, f"expected a Dense before the Reshape to an image of {channels} channels, whose outputs can be sorted "
                              "by channel, found none")  # fmt: skip
        self.order = None
        features = {"inputs": self.sizes, "outputs": sizes, "tensors": {}, "back": lambda tensors: []}
        self.add(layer, {"kind": "Unflatten", **features})

    def next(self, layer, shape):
        kind = type(layer)
        if getattr(layer, "quantization_mode", None) is not None:
            refuse(layer, f"expected weights as they were trained, found them quantized to {layer.quantization_mode}; "
                          "write the model from before `quantize`")  # fmt: skip
        if kind in LEFT_OUT:
            return self.arrange(layer, shape)
        if self.sizes is None:
            if not 2 <= len(shape) <= 4:
                refuse(layer, f"expected features, sequences or images, found the shape {shape}; put a Flatten before it")
            self.sizes = self.view = tuple(STEPS if size is None else size for size in sizes_of(shape))
        if len(self.sizes) == 1 and len(self.view) == 3:
            self.unflatten(layer)
        elif len(self.view) != len(self.sizes):
            refuse(layer, f"expected features, found them as the shape {self.view}, of which tuplenet makes no sequence")
        if kind in keras_images.LAYERS:
            self.expect(layer, 3)
            self.add(layer, keras_images.layer_of(layer, self.sizes))
        elif kind in keras_sequences.LAYERS:
            self.expect(layer, 2)
            for entry in keras_sequences.layers_of(layer, self.sizes):
                self.add(layer, entry)
        else:
            self.add(layer, keras_layers.layer_of(layer, self.sizes, self.order))
            if kind is k.Dense:
                self.order = None

    def expect(self, layer, axes):
        if len(self.sizes) != axes:
            what = {1: "features", 2: "sequences", 3: "images"}
            refuse(layer, f"expected {what[axes]}, found {what[len(self.sizes)]} of the sizes {self.sizes}")


def layers_of(model):
    """The layers of a built model, as `tuplenet_file` wants them."""
    layers, taken = Layers(), set()
    for layer, shape in chain(model):
        layers.next(layer, shape)
        taken.update(id(variable) for variable in layer.weights)
    for variable in model.weights:
        if id(variable) not in taken:
            name = getattr(variable, "path", variable.name)
            raise Unknown(f"variable `{name}`: expected that it belongs to a layer between input and output, found it elsewhere")
    if layers.order is not None:
        raise Unknown("expected a Dense after Flatten, whose weights can be sorted by channel, found none")
    if layers.found and None in input_shape(model):
        layers.found[0]["any_steps"] = True
    return layers.found


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


def input_shape(model):
    """The shape of a sample at the first layer that is written."""
    shape = tuple(graph_of(model).inputs[0].shape)
    for layer, arrives in chain(model):
        if type(layer) not in LEFT_OUT:
            shape = arrives
            break
    return shape[1:]


def to_keras(model, samples):
    """Samples as the model takes them, from one a row as a network does."""
    graph, shape = graph_of(model), input_shape(model)
    if len(shape) == 3:
        rows, columns, channels = shape
        samples = samples.reshape(-1, channels, rows, columns).transpose(0, 2, 3, 1)
    return samples.reshape(len(samples), *(STEPS if size is None else size for size in graph.inputs[0].shape[1:]))


def outputs_of(model, samples):
    """What a model gives for samples, one a row, as a network of tuplenet has them."""
    graph = graph_of(model)
    samples = to_keras(model, samples)
    # Some models want always as many samples.
    batch = graph.inputs[0].shape[0] or len(samples)
    parts = []
    for first in range(0, len(samples), batch):
        part = numpy.resize(samples[first : first + batch], (batch, *samples.shape[1:]))
        outputs = model(keras.tree.map_structure(lambda _: part, graph.input), training=False)
        [outputs] = keras.tree.flatten(outputs)
        parts.append(keras.ops.convert_to_numpy(outputs))
    outputs = numpy.concatenate(parts)[: len(samples)]
    if is_image(model):
        outputs = outputs.transpose(0, 3, 1, 2)
    return outputs.reshape(len(samples), -1)


def is_image(model):
    """Whether the outputs are images in tuplenet too."""
    layers = Layers()
    for layer, shape in chain(model):
        layers.next(layer, shape)
    return layers.sizes is not None and len(layers.sizes) == 3


def samples_of(model):
    tensor, shape = graph_of(model).inputs[0], input_shape(model)
    own = tuple(tensor.shape[1:])
    if None in shape and not (shape == own and len(shape) == 2 and shape[1] is not None) or None in own and None not in shape:
        refuse(model, f"expected an input whose sizes are known, but for the number of steps of a sequence, found {tensor.shape}")
    kind = keras.backend.standardize_dtype(tensor.dtype)
    if "float" not in kind and "int" not in kind:
        refuse(model, f"expected an input of numbers, found {kind}")
    for group in tuplenet_file.random_samples(int(numpy.prod([STEPS if size is None else size for size in shape]))):
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
        values.extend((found.get("layer"), *entry) for entry in found.get("back", lambda tensors: [])(found["tensors"]))
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

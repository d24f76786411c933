"""Turns an MLPClassifier or MLPRegressor of scikit-learn into a safetensors file and the type of a network of tuplenet.

    pip install scikit-learn safetensors numpy
    python examples/convert/sklearn_model.py model.joblib weights.safetensors

It writes the file and prints what to paste. The network's outputs are those of `predict_proba` (of a classifier with two
classes, the probability of the second one alone) or `predict`; class number i is `model.classes_[i]`. In a program,
`write(model, path)` gives the type, and `read(model, path)` sets a fitted model of the same sizes to a file that a network of
tuplenet was saved to. joblib runs what a file says: load no file that is not your own.
"""

import sys

import numpy
from sklearn.neural_network import MLPClassifier, MLPRegressor

import tuplenet_file

ACTIVATIONS = {"identity": "Identity", "logistic": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "softmax": "Softmax"}


def layers_of(model):
    """The layers of a fitted model, as `tuplenet_file` wants them."""
    if not isinstance(model, (MLPClassifier, MLPRegressor)) or not hasattr(model, "coefs_"):
        raise SystemExit(f"expected a fitted MLPClassifier or MLPRegressor, found {type(model).__name__}")
    last = len(model.coefs_) - 1
    for index, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_)):
        activation = model.out_activation_ if index == last else model.activation
        if activation not in ACTIVATIONS:
            raise SystemExit(f"expected an activation among {', '.join(ACTIVATIONS)}, found {activation}")
        inputs, outputs = weight.shape
        yield {"kind": "Dense", "inputs": inputs, "outputs": outputs, "activation": ACTIVATIONS[activation],
               "tensors": {"weight": weight.T, "bias": bias}}  # fmt: skip


def write(model, path):
    """Writes the file of a model; gives the type of the network."""
    return tuplenet_file.write(list(layers_of(model)), path)


def read(model, path):
    """Sets the weights of a fitted model to those of a file with a network of the same layers."""
    layers = tuplenet_file.read(list(layers_of(model)), path)
    number = model.coefs_[0].dtype
    model.coefs_ = [numpy.ascontiguousarray(layer["tensors"]["weight"].T, number) for layer in layers]
    model.intercepts_ = [layer["tensors"]["bias"].astype(number) for layer in layers]


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    import joblib

    network = write(joblib.load(sys.argv[1]), sys.argv[2])
    print(tuplenet_file.program(network, sys.argv[2]))


if __name__ == "__main__":
    main()

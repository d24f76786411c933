"""Turns an MLPClassifier or MLPRegressor of scikit-learn into a safetensors file and the type of a network of tuplenet.

    pip install scikit-learn safetensors numpy
    python examples/convert/sklearn_model.py model.joblib weights.safetensors

It writes the file and prints what to paste. The network's outputs are those of `predict_proba` (of a classifier with two
classes, the probability of the second one alone) or `predict`; class number i is `model.classes_[i]`. The model may be the last
step of a Pipeline in which StandardScaler, MinMaxScaler, MaxAbsScaler or RobustScaler come before it: they go into the weights
of the first layer, so that the network takes samples as the pipeline does. Anything else is refused, and so is a model whose
outputs for random samples are not those of what would be written.

In a program, `write(model, path)` gives the type, and `read(model, path)` sets a fitted model of the same sizes to a file that
a network of tuplenet was saved to. joblib runs what a file says: load no file that is not your own.
"""

import warnings

import numpy
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

import tuplenet_file
from tuplenet_file import Unknown

ACTIVATIONS = {"identity": "Identity", "logistic": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "softmax": "Softmax"}

# What they compute, all in one precision, is off by less.
TOLERANCES = {"float32": tuplenet_file.TOLERANCE, "float64": 1e-9}


def steps_of(model):
    """The scalers of a model, in their order, and its network."""
    if type(model) is not Pipeline:
        return [], model
    scalers = [step for _, step in model.steps[:-1] if step is not None and step != "passthrough"]
    return scalers, model.steps[-1][1]


def network_of(model):
    """The fitted network of a model."""
    _, network = steps_of(model)
    name = type(network).__name__
    if type(network) not in (MLPClassifier, MLPRegressor):
        what = f"expected an MLPClassifier or MLPRegressor, or a Pipeline that ends with one, found {name}"
        if isinstance(network, (MLPClassifier, MLPRegressor)):
            what = f"expected MLPClassifier or MLPRegressor of scikit-learn itself, found {name}, which is made from it"
        elif hasattr(network, "best_estimator_"):
            what += "; its `best_estimator_` may be one"
        raise Unknown(what)
    if not hasattr(network, "coefs_"):
        raise Unknown(f"expected a fitted {name}, found one without weights; call `fit` before")
    if isinstance(network, MLPClassifier) and len(network.classes_) < 2 and network.n_outputs_ < 2:
        raise Unknown("expected a classifier with at least two classes, found one")
    return network


def scaling_of(model):
    """What the scalers of a model do together: x becomes x * scale + shift."""
    scalers, network = steps_of(model)
    columns = network.coefs_[0].shape[0]
    scale, shift = numpy.ones(columns), numpy.zeros(columns)
    for scaler in scalers:
        kind = type(scaler)
        if kind not in (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler):
            raise Unknown(
                f"step {kind.__name__}: expected StandardScaler, MinMaxScaler, MaxAbsScaler or RobustScaler; convert the last "
                "step of the pipeline alone, and do in your program what comes before"
            )
        if not hasattr(scaler, "n_features_in_"):
            raise Unknown(f"step {kind.__name__}: expected a fitted one; call `fit` before")
        if getattr(scaler, "clip", False):
            raise Unknown(f"step {kind.__name__}: expected no clipping, which no layer does; set `clip=False`")
        factor, offset = 1.0, 0.0
        if kind is MinMaxScaler:
            factor, offset = scaler.scale_, scaler.min_
        elif kind is MaxAbsScaler:
            factor = 1 / scaler.scale_
        else:
            centered = scaler.with_mean if kind is StandardScaler else scaler.with_centering
            scaled = scaler.with_std if kind is StandardScaler else scaler.with_scaling
            center = scaler.mean_ if kind is StandardScaler else scaler.center_
            factor = 1 / scaler.scale_ if scaled else 1.0
            offset = -center * factor if centered else 0.0
        scale, shift = scale * factor, shift * factor + offset
    return scale, shift


def layers_of(model):
    """The layers of a fitted model, as `tuplenet_file` wants them."""
    network = network_of(model)
    scale, shift = scaling_of(model)
    last = len(network.coefs_) - 1
    for index, (weight, bias) in enumerate(zip(network.coefs_, network.intercepts_)):
        activation = network.out_activation_ if index == last else network.activation
        if activation not in ACTIVATIONS:
            raise Unknown(f"expected an activation among {', '.join(ACTIVATIONS)}, found {activation}")
        inputs, outputs = weight.shape
        if index == 0:
            weight, bias = (weight.T * scale).T.astype(weight.dtype), (bias + shift @ weight).astype(bias.dtype)
        yield {"kind": "Dense", "inputs": (inputs,), "outputs": (outputs,), "activation": ACTIVATIONS[activation],
               "tensors": {"weight": weight.T, "bias": bias}}  # fmt: skip


def outputs_of(model, samples):
    """What a model gives for samples, one a row, that a network gives too."""
    with warnings.catch_warnings():
        # The columns have no names here.
        warnings.simplefilter("ignore")
        network = network_of(model)
        if isinstance(network, MLPRegressor):
            return model.predict(samples).reshape(len(samples), -1)
        outputs = model.predict_proba(samples)
        return outputs[:, 1:] if network.n_outputs_ == 1 else outputs


def samples_of(model):
    """As large as what the scalers expect."""
    scale, shift = scaling_of(model)
    used = scale != 0
    spread = numpy.where(used, 1 / numpy.where(used, scale, 1), 1)
    return tuplenet_file.random_samples(len(scale), -shift * spread, spread)


def write(model, path):
    """Writes the file of a model; gives the type of the network."""
    layers = list(layers_of(model))
    tolerance = TOLERANCES[str(layers[0]["tensors"]["weight"].dtype)]
    return tuplenet_file.write(layers, path, lambda samples: outputs_of(model, samples), samples_of(model), tolerance)


def read(model, path):
    """Sets the weights of a fitted model to those of a file with a network of the same layers."""
    layers = tuplenet_file.read(list(layers_of(model)), path)
    network = network_of(model)
    scale, shift = scaling_of(model)
    if (scale == 0).any():
        raise Unknown("expected scalers that keep every column, found one that makes it constant")
    number = network.coefs_[0].dtype
    weights = [layer["tensors"]["weight"].T for layer in layers]
    biases = [layer["tensors"]["bias"] for layer in layers]
    # The scalers stay: what they do is taken out of the weights.
    weights[0] = (weights[0].T / scale).T
    biases[0] = biases[0] - shift @ weights[0]
    network.coefs_ = [numpy.ascontiguousarray(weight, number) for weight in weights]
    network.intercepts_ = [bias.astype(number) for bias in biases]


def load(path):
    import joblib

    return joblib.load(path)


if __name__ == "__main__":
    tuplenet_file.command(__doc__, "joblib", load, write)

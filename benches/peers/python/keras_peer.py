"""Keras on JAX, compiled: `train_on_batch` for a step, and a compiled call of the model for one image."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import jax  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402

import common  # noqa: E402


def lenet():
    """Images have their channels last."""
    layers = keras.layers
    model = keras.Sequential([
        layers.Input((28, 28, 1)), layers.Conv2D(6, 5, activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(16, 5, activation="relu"), layers.MaxPooling2D(2), layers.Permute((3, 1, 2)), layers.Flatten(),
        layers.Dense(120, "relu"), layers.Dense(84, "relu"), layers.Dense(10, "softmax"),
    ])
    weights = []
    for weight, bias in common.lenet_layers():
        weights += [weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T, bias]
    model.set_weights(weights)
    return model


def gru():
    """Gates in the order of Keras: update, reset, candidate."""
    layers = keras.layers
    model = keras.Sequential([layers.Input((40, 1)), layers.GRU(32), layers.Dense(10, "softmax")])
    (w_ih, b_ih), (w_hh, b_hh), (weight, bias) = common.gru_layers()
    order = np.r_[32:64, 0:32, 64:96]
    model.set_weights([w_ih[order].T, w_hh[order].T, np.stack([b_ih[order], b_hh[order]]), weight.T, bias])
    return model


def trained(model, x, classes, steps):
    classes = classes.astype(np.int32)
    # PyTorch's epsilon.
    model.compile(keras.optimizers.Adam(1e-3, epsilon=1e-8), "sparse_categorical_crossentropy")
    for _ in range(steps):
        model.train_on_batch(x, classes)
    y = np.asarray(model(x))
    loss = -np.log(y[np.arange(len(classes)), classes]).mean()
    return common.best_time(lambda: model.train_on_batch(x, classes)), loss


def run(workload):
    if workload == "W7":
        return trained(gru(), *common.gru(), common.GRU_STEPS)
    model, (x, classes) = lenet(), common.lenet()
    x = x.transpose(0, 2, 3, 1)
    if workload == "W5p":
        state = [variable.value for variable in model.trainable_variables]
        predict = jax.jit(lambda x: model.stateless_call(state, [], x)[0])
        samples = [jax.numpy.asarray(sample[None]) for sample in x]
        return common.one_by_one(lambda x: predict(x).block_until_ready(), samples)
    return trained(model, x, classes, common.LENET_STEPS)


common.peer(run)

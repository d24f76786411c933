"""NumPy: every derivative by hand."""

import numpy as np

import common

RELU, TANH, NONE = "relu", "tanh", "none"


def forward(layers, activations, x):
    """The outputs of all layers, the input first."""
    outputs = [x]
    for (weight, bias), activation in zip(layers, activations):
        y = outputs[-1] @ weight.T
        y += bias
        if activation == RELU:
            np.maximum(y, 0, out=y)
        elif activation == TANH:
            np.tanh(y, out=y)
        outputs.append(y)
    return outputs


def backward(layers, activations, outputs, output_gradient):
    """The gradient in the order of the parameters. `output_gradient` is that of the last layer before its activation."""
    gradient = []
    for place in reversed(range(len(layers))):
        gradient[:0] = [output_gradient.T @ outputs[place], output_gradient.sum(axis=0)]
        if place:
            output_gradient = output_gradient @ layers[place][0]
            y = outputs[place]
            if activations[place - 1] == RELU:
                output_gradient *= y > 0
            else:
                output_gradient *= 1 - y * y
    return gradient


def softmax(y):
    y = np.exp(y - y.max(axis=-1, keepdims=True))
    y /= y.sum(axis=-1, keepdims=True)
    return y


class Adam:
    """All parameters are stored in one array, so that a step is a handful of calls; `layers` are views of it."""

    def __init__(self, layers):
        self.parameters = np.concatenate([part.ravel() for layer in layers for part in layer])
        views, first = [], 0
        for layer in layers:
            for part in layer:
                views.append(self.parameters[first:first + part.size].reshape(part.shape))
                first += part.size
        self.layers = list(zip(views[::2], views[1::2]))
        self.m, self.v = np.zeros_like(self.parameters), np.zeros_like(self.parameters)
        self.power1, self.power2 = 1.0, 1.0

    def step(self, gradient, rate=1e-3):
        gradient = np.concatenate([part.ravel() for part in gradient])
        self.power1 *= 0.9
        self.power2 *= 0.999
        self.m *= np.float32(0.9)
        self.m += np.float32(0.1) * gradient
        self.v *= np.float32(0.999)
        gradient *= gradient
        gradient *= np.float32(0.001)
        self.v += gradient
        root = np.sqrt(self.v * np.float32(1 / (1 - self.power2)))
        root += np.float32(1e-8)
        self.parameters -= np.float32(rate / (1 - self.power1)) * self.m / root


def xor():
    layers, activations = common.layers("xor"), [RELU, NONE]
    x, t = common.xor()

    def step():
        outputs = forward(layers, activations, x)
        output_gradient = (1 / (1 + np.exp(-outputs[-1])) - t) / np.float32(len(x))
        gradient = backward(layers, activations, outputs, output_gradient)
        for (weight, bias), weight_gradient, bias_gradient in zip(layers, gradient[::2], gradient[1::2]):
            weight -= np.float32(0.01) * weight_gradient
            bias -= np.float32(0.01) * bias_gradient

    for _ in range(common.XOR_STEPS):
        step()
    y = forward(layers, activations, x)[-1]
    loss = np.logaddexp(0, np.where(t > 0.5, -y, y)).mean()
    return common.best_time(step), loss


def digits():
    adam, activations = Adam(common.layers("digits")), [RELU, NONE]
    x, classes = common.digits()
    classes = classes.astype(np.intp)

    def epoch(order):
        for batch in common.batches(order):
            outputs = forward(adam.layers, activations, x[batch])
            output_gradient = softmax(outputs[-1])
            output_gradient[np.arange(len(batch)), classes[batch]] -= 1
            output_gradient /= np.float32(len(batch))
            adam.step(backward(adam.layers, activations, outputs, output_gradient))

    epoch(np.arange(len(x)))
    y = softmax(forward(adam.layers, activations, x)[-1])
    loss = -np.log(y[np.arange(len(x)), classes]).mean()
    random = np.random.default_rng(0)
    return common.best_time(lambda: epoch(random.permutation(len(x)))), loss


def curve(workload):
    adam, activations = Adam(common.layers("curve")), [TANH, TANH, NONE]
    x, t = common.curve(workload)

    def step():
        outputs = forward(adam.layers, activations, x)
        output_gradient = (outputs[-1] - t) * np.float32(2 / t.size)
        adam.step(backward(adam.layers, activations, outputs, output_gradient))

    for _ in range(common.CURVE_STEPS[workload]):
        step()
    loss = ((forward(adam.layers, activations, x)[-1] - t) ** 2).mean()
    return common.best_time(step), loss


def infer(workload):
    name = common.INFERENCE.get(workload, "digits")
    layers = [(np.ascontiguousarray(weight), bias) for weight, bias in common.layers(name)]
    inner = np.tanh if name == "small" else lambda y: np.maximum(y, 0)

    def one(x):
        for weight, bias in layers[:-1]:
            x = inner(weight @ x + bias)
        weight, bias = layers[-1]
        y = weight @ x + bias
        return softmax(y) if name == "digits" else y

    if workload != "W6":
        return common.one_by_one(one, list(common.inputs(name)[:64]))
    x = common.inputs("digits")[:1024]

    def all_samples():
        return softmax(forward(layers, [RELU, NONE], x)[-1])

    return common.best_time(all_samples) / len(x), common.checksum(all_samples())


RUN = {"W1": xor, "W3": digits, "W4": lambda: curve("W4"), "W4L": lambda: curve("W4L")}
common.peer(lambda workload: RUN[workload]() if workload in RUN else infer(workload))

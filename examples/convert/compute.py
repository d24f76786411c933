"""What layers of tuplenet compute, in NumPy: the scripts beside this one compare it with the outputs of a model."""

import math

import numpy

# What `BatchNorm` adds to the variance.
EPSILON = 1e-5


class Unknown(Exception):
    """What can't be turned into a network, and why."""


def each(values, function):
    return numpy.array([function(value) for value in values.flat], values.dtype).reshape(values.shape)


def activate(name, x):
    """What an activation of tuplenet computes."""
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
        powers = numpy.exp(x - x.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)
    raise Unknown(f"expected an activation of tuplenet, found {name}")


def normalize(x, mean, square, tensors):
    """As a difference of two products, as Keras has it, so that f32 loses as many digits here."""
    factor = tensors["weight"] / numpy.sqrt(square)
    return x * factor - mean * factor + tensors["bias"]


def windows(x, kernel, stride, dilation, positions):
    """What each tap of a window sees: by row and column of the kernel, then as images of so many positions."""
    rows, columns = positions
    for i in range(kernel):
        for j in range(kernel):
            down, right = i * dilation, j * dilation
            yield i, j, (slice(down, down + rows * stride, stride), slice(right, right + columns * stride, stride))


def pad(x, padding, value=0.0):
    return numpy.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)), constant_values=value)


def convolve(layer, tensors, x):
    weight, (_, rows, columns) = tensors["weight"], layer["outputs"]
    kernel, stride, padding, dilation = (layer[name] for name in ("kernel", "stride", "padding", "dilation"))
    y = numpy.zeros((len(x), *layer["outputs"]), x.dtype)
    if layer["kind"] == "ConvTranspose2d":
        y = pad(y, padding)
        # Beyond the last position there may be a few pixels more.
        for i, j, (down, right) in windows(y, kernel, stride, dilation, x.shape[2:]):
            y[:, :, down, right] += numpy.einsum("ncrs,cd->ndrs", x, weight[:, :, i, j])
        y = y[:, :, padding : padding + rows, padding : padding + columns]
    else:
        x = pad(x, padding)
        groups = x.shape[1] // weight.shape[1]
        for i, j, (down, right) in windows(x, kernel, stride, dilation, (rows, columns)):
            seen = x[:, :, down, right].reshape(len(x), groups, -1, rows, columns)
            taps = weight[:, :, i, j].reshape(groups, -1, weight.shape[1])
            y += numpy.einsum("ngcrs,gdc->ngdrs", seen, taps).reshape(y.shape)
    return activate(layer["activation"], y + tensors["bias"][:, None, None])


def pool(layer, x):
    kernel, stride, padding = (layer[name] for name in ("kernel", "stride", "padding"))
    x = pad(x, padding, -numpy.inf if layer["kind"] == "MaxPool" else 0.0)
    seen = [x[:, :, down, right] for _, _, (down, right) in windows(x, kernel, stride, 1, layer["outputs"][1:])]
    return numpy.max(seen, axis=0) if layer["kind"] == "MaxPool" else numpy.mean(seen, axis=0)


def recur(layer, tensors, suffix, x):
    """A recurrent layer; the gates are in the order of PyTorch."""
    weight_ih, weight_hh, bias_ih, bias_hh = (
        tensors[f"{name}_l0{suffix}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    units, kind = layer["units"], layer["kind"]
    h = numpy.zeros((len(x), units), x.dtype)
    cell, outputs = h, []
    sigmoid = lambda value: activate("Sigmoid", value)  # noqa: E731
    for step in range(x.shape[1]):
        a = numpy.split(x[:, step] @ weight_ih.T + bias_ih, len(bias_ih) // units, axis=1)
        b = numpy.split(h @ weight_hh.T + bias_hh, len(bias_hh) // units, axis=1)
        if kind == "Rnn":
            h = activate(layer.get("parameter", "Tanh"), a[0] + b[0])
        elif kind == "Gru":
            r, z = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
            if layer.get("parameter") == "Before":
                n = numpy.tanh(a[2] + (r * h) @ weight_hh[2 * units :].T + bias_hh[2 * units :])
            else:
                n = numpy.tanh(a[2] + r * b[2])
            h = n + z * (h - n)
        else:
            i, f, g, o = (sum_a + sum_b for sum_a, sum_b in zip(a, b))
            cell = sigmoid(f) * cell + sigmoid(i) * numpy.tanh(g)
            h = sigmoid(o) * numpy.tanh(cell)
        outputs.append(h)
    return numpy.stack(outputs, axis=1)


def compute(layers, x):
    """The outputs of a network, one sample a row, in the precision of the inputs."""
    samples = len(x)
    for layer in layers:
        kind = layer["kind"]
        tensors = {name: array.astype(x.dtype) for name, array in layer["tensors"].items()}
        x = x.reshape(samples, *layer["inputs"])
        if kind == "Dense":
            x = activate(layer["activation"], x @ tensors["weight"].T + tensors["bias"])
        elif kind == "Activate":
            x = activate(layer["activation"], x)
        elif kind == "BatchNorm":
            if x.ndim == 4:
                tensors = {name: array.reshape(-1, 1, 1) for name, array in tensors.items()}
            x = normalize(x, tensors["running_mean"], tensors["running_var"] + x.dtype.type(EPSILON), tensors)
        elif kind == "LayerNorm":
            square = x.var(axis=-1, keepdims=True) + x.dtype.type(layer["epsilon_nanos"] / 1e9)
            x = normalize(x, x.mean(axis=-1, keepdims=True), square, tensors)
        elif kind in ("Conv2d", "GroupedConv2d", "ConvTranspose2d"):
            x = convolve(layer, tensors, x)
        elif kind in ("MaxPool", "AveragePool"):
            x = pool(layer, x)
        elif kind == "GlobalAveragePool":
            x = x.mean(axis=(2, 3))
        elif kind == "Upsample":
            x = x.repeat(layer["kernel"], axis=2).repeat(layer["kernel"], axis=3)
        elif kind in ("Rnn", "Gru", "Lstm"):
            y = [recur(layer, tensors, "", x)]
            if layer["directions"] == 2:
                y.append(recur(layer, tensors, "_reverse", x[:, ::-1])[:, ::-1])
            x = numpy.concatenate(y, axis=2)
        elif kind == "Conv1d":
            weight, reach, steps = tensors["weight"], layer["reach"], x.shape[1]
            x = numpy.pad(x, ((0, 0), (reach, 0), (0, 0)))
            backs = [tap * reach // max(layer["taps"] - 1, 1) for tap in range(layer["taps"])]
            y = sum(x[:, back : back + steps] @ weight[:, :, tap].T for tap, back in enumerate(backs))
            x = activate(layer["activation"], y + tensors["bias"])
        elif kind == "Last":
            x = x[:, -1]
        elif kind == "MeanOverTime":
            x = x.mean(axis=1)
        elif kind == "MaxOverTime":
            x = x.max(axis=1)
        elif kind not in ("Dropout", "Input", "Flatten", "Unflatten"):
            raise Unknown(f"expected a layer of tuplenet, found {kind}")
    return x.reshape(samples, -1)

"""Reference values for recurrent layers of random sizes, from PyTorch and Keras: outputs, last states, and the gradients by the
inputs and by all parameters.

    pip install torch keras
    python tests/golden/recurrent.py pytorch > tests/golden/recurrent_pytorch.json
    KERAS_BACKEND=torch python tests/golden/recurrent.py keras > tests/golden/recurrent_keras.json

Weights, inputs and the gradients by the outputs follow from a formula, so that they need not be stored. Of each tensor two sums
are stored, of its values times other values without a pattern. Everything is in the order of PyTorch.
"""

import json
import math
import random
import sys

import torch

torch.set_default_dtype(torch.float64)

LONGEST = 7
# The inputs and the units of each kind of network: the sizes of the types in tests/recurrent.rs.
SIZES = {
    "rnn": [(3, 4), (1, 9)],
    "relu": [(2, 5), (4, 8)],
    "gru": [(3, 5), (1, 8)],
    "before": [(2, 4), (3, 9)],
    "lstm": [(2, 3), (4, 8)],
    "bigru": [(2, 3)],
    "bilstm": [(3, 4)],
    "gru2": [(2, 5)],
    "lstm2": [(3, 3)],
}
GATES = {"rnn": 1, "relu": 1, "gru": 3, "before": 3, "lstm": 4}


def number(index):
    return math.sin((index + 1) * 12.9898)


def numbers(first, *shape):
    count = math.prod(shape)
    return torch.tensor([number(first + index) for index in range(count)], dtype=torch.float64).reshape(shape)


def sums(tensor):
    values = tensor.detach().flatten().tolist()
    return [float(f"{sum(v * number(k * i + k) for i, v in enumerate(values)):.14g}") for k in (7, 11)]


def base(kind):
    return kind.removeprefix("bi").removesuffix("2")


def parameters(kind, inputs, units, seed):
    """The parameters of each layer and direction: weight_ih, weight_hh, bias_ih, bias_hh."""
    rows, found, place = GATES[base(kind)] * units, [], 0
    for columns in [inputs, units] if kind.endswith("2") else [inputs] * (2 if kind.startswith("bi") else 1):
        for shape in [(rows, columns), (rows, units), (rows,), (rows,)]:
            found.append(0.6 * numbers(100_000 + 10_000 * seed + 1000 * place, *shape))
            place += 1
    return found


def pytorch(kind, inputs, units, seed, lengths):
    layer = {
        "rnn": torch.nn.RNN,
        "relu": lambda *a, **b: torch.nn.RNN(*a, nonlinearity="relu", **b),
        "gru": torch.nn.GRU,
        "lstm": torch.nn.LSTM,
    }[base(kind)](
        inputs, units, batch_first=True, bidirectional=kind.startswith("bi"), num_layers=2 if kind.endswith("2") else 1
    )
    with torch.no_grad():
        for parameter, values in zip(layer.parameters(), parameters(kind, inputs, units, seed), strict=True):
            parameter.copy_(values)
    x = numbers(1000 * seed, len(lengths), LONGEST, inputs).requires_grad_()
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    y, state = layer(packed)
    y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=LONGEST)
    (y * numbers(50_000 + seed, *y.shape)).sum().backward()
    state = list(state) if isinstance(state, tuple) else [state]
    return {
        "y": sums(y),
        "dx": sums(x.grad),
        # Layer by layer, the output and then the cell state.
        "state": sums(torch.stack([part[n] for n in range(len(state[0])) for part in state])),
        "gradients": [sums(parameter.grad) for parameter in layer.parameters()],
    }


# Where PyTorch's gates are among those of Keras: r z n among z r h, i f g o among i f c o.
ORDER = {1: [0], 3: [1, 0, 2], 4: [0, 1, 2, 3]}


def to_keras(rows, gates):
    return torch.cat([rows.chunk(gates)[gate] for gate in ORDER[gates]])


# Each order is its own inverse.
from_keras = to_keras


def keras_weights(four, kind):
    gates = GATES[kind]
    weight_ih, weight_hh, bias_ih, bias_hh = [to_keras(rows, gates) for rows in four]
    bias = torch.stack([bias_ih, bias_hh]) if kind == "gru" else bias_ih + bias_hh
    return [weight_ih.T, weight_hh.T, bias]


def keras_gradients(three, kind):
    gates = GATES[kind]
    bias = three[2] if kind == "gru" else torch.stack([three[2]] * 2)
    return [from_keras(rows, gates) for rows in (three[0].T, three[1].T, bias[0], bias[1])]


def keras(kind, inputs, units, seed, lengths):
    import keras

    keras.config.set_floatx("float64")
    # Its own rounds products to `float32`.
    keras.src.backend.torch.numpy.matmul = torch.matmul
    one = base(kind)
    make = {
        "rnn": lambda: keras.layers.SimpleRNN(units, return_sequences=True, return_state=True, dtype="float64"),
        "relu": lambda: keras.layers.SimpleRNN(units, activation="relu", return_sequences=True, return_state=True, dtype="float64"),
        "gru": lambda: keras.layers.GRU(units, return_sequences=True, return_state=True, dtype="float64"),
        "before": lambda: keras.layers.GRU(units, reset_after=False, return_sequences=True, return_state=True, dtype="float64"),
        "lstm": lambda: keras.layers.LSTM(units, return_sequences=True, return_state=True, dtype="float64"),
    }[one]
    layers = [keras.layers.Bidirectional(make(), dtype="float64")] if kind.startswith("bi") else [make() for _ in range(1 + kind.endswith("2"))]
    given = parameters(kind, inputs, units, seed)
    weights = [tensor for four in zip(*[iter(given)] * 4) for tensor in keras_weights(four, one)]
    # The sequences one after the other, each without padding.
    x = numbers(1000 * seed, len(lengths), LONGEST, inputs)
    found = {"y": torch.zeros(len(lengths), LONGEST, units * len(given) // 4, dtype=torch.float64), "dx": torch.zeros_like(x)}
    if not kind.startswith("bi"):
        found["y"] = torch.zeros(len(lengths), LONGEST, units, dtype=torch.float64)
    dy = numbers(50_000 + seed, *found["y"].shape)
    states, total = [], None
    for sample, length in enumerate(lengths):
        y = x[sample : sample + 1, :length].clone().requires_grad_()
        start, state = y, []
        for layer in layers:
            y, *parts = layer(y)
            state += parts
        variables = [variable for layer in layers for variable in layer.trainable_weights]
        if sample == 0:
            for variable, values in zip(variables, weights, strict=True):
                variable.assign(values.numpy())
            y, state = start, []
            for layer in layers:
                y, *parts = layer(y)
                state += parts
        wanted = [start] + [variable.value for variable in variables]
        dx, *gradients = torch.autograd.grad((y * dy[sample : sample + 1, :length]).sum(), wanted)
        found["y"][sample, :length] = y.detach()[0]
        found["dx"][sample, :length] = dx[0]
        states.append(torch.stack([part.detach()[0] for part in state]))
        total = gradients if total is None else [a + b for a, b in zip(total, gradients)]
    gradients = [rows for three in zip(*[iter(total)] * 3) for rows in keras_gradients(three, one)]
    return {
        "y": sums(found["y"]),
        "dx": sums(found["dx"]),
        "state": sums(torch.stack(states, dim=1)),
        "gradients": [sums(gradient) for gradient in gradients],
    }


random.seed(19)
compute = {"pytorch": pytorch, "keras": keras}[sys.argv[1]]
cases = []
for kind, sizes in SIZES.items():
    # PyTorch has no reset gate before the product.
    if kind == "before" and sys.argv[1] == "pytorch":
        continue
    for inputs, units in sizes:
        for _ in range(9):
            lengths = [random.randint(1, LONGEST) for _ in range(2)]
            seed = len(cases)
            case = {"kind": kind, "inputs": inputs, "units": units, "seed": seed, "lengths": lengths}
            cases.append(case | compute(kind, inputs, units, seed, lengths))
version = __import__("keras" if sys.argv[1] == "keras" else "torch").__version__
print('{"version": "%s", "cases": [' % version)
print(",\n".join(json.dumps(case, separators=(",", ":")) for case in cases))
print("]}")

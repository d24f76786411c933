"""A file with a layer of sequences of each kind, with the names and sizes that PyTorch gives their tensors, and the same values
without names: written to fixtures/ beside this file.

    sequences.py          needs safetensors and numpy
"""

import pathlib

import numpy
from safetensors.numpy import save_file

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
GATES = {"Rnn": 1, "Gru": 3, "Lstm": 4}


def recurrent(kind, inputs, units, suffix=""):
    rows = GATES[kind] * units
    sizes = {"weight_ih": (rows, inputs), "weight_hh": (rows, units), "bias_ih": (rows,), "bias_hh": (rows,)}
    return {f"{name}_l0{suffix}": size for name, size in sizes.items()}


# (Conv1d<2, 3, 2, 3, Tanh>, Bidirectional<Gru<3, 2>, 4>, Steps<(Dense<4, 3, Relu>, LayerNorm<3>)>, Rnn<3, 2, Relu>, Lstm<2, 3>,
#  Gru<3, 2, Before>, MeanOverTime, Dense<2, 1, Identity>): Steps is a Sequential of its own, and so is each activation within.
LAYERS = {
    "0": {"weight": (3, 2, 2), "bias": (3,)},
    "1": {**recurrent("Gru", 3, 2), **recurrent("Gru", 3, 2, "_reverse")},
    "2.0": {"weight": (3, 4), "bias": (3,)},
    "2.2": {"weight": (3,), "bias": (3,)},
    "3": recurrent("Rnn", 3, 2),
    "4": recurrent("Lstm", 2, 3),
    "5": recurrent("Gru", 3, 2),
    "7": {"weight": (1, 2), "bias": (1,)},
}

random = numpy.random.default_rng(1)
tensors = {
    f"{layer}.{name}": random.normal(size=sizes).astype(numpy.float32) for layer, own in LAYERS.items() for name, sizes in own.items()
}
save_file(tensors, FIXTURES / "sequences.safetensors")
(FIXTURES / "sequences.f32").write_bytes(b"".join(array.astype("<f4").tobytes() for array in tensors.values()))

"""Writes images.safetensors and images.txt beside this file: a small convolutional network of PyTorch's, as its `state_dict`, and
what it computes for three images; the judge of a test in tests/images.rs.

Run it with numpy, torch and safetensors installed: python tests/golden/images.py
"""

import pathlib

import safetensors.torch
import torch
from torch import nn

torch.manual_seed(0)
torch.set_num_threads(1)


def values(seed, *shape):
    """The numbers that the test generates too, between -1 and 1."""
    state, result = seed * 2654435761 % 2**32, []
    for _ in range(torch.Size(shape).numel()):
        state = (state * 1664525 + 1013904223) % 2**32
        result.append(state / 2**31 - 1)
    return torch.tensor(result).reshape(shape)


network = nn.Sequential(
    nn.Conv2d(2, 6, 3, stride=1, padding=1), nn.ReLU(),
    nn.BatchNorm2d(6),
    nn.MaxPool2d(2),
    nn.Conv2d(6, 4, 3, padding=1, groups=2), nn.Tanh(),
    nn.ConvTranspose2d(4, 3, 2, stride=2), nn.Sigmoid(),
    nn.AvgPool2d(2),
    nn.Flatten(),
    nn.Linear(36, 5), nn.Softmax(1),
)
# Statistics that differ from 0 and 1.
network.train()
network(values(1, 20, 2, 8, 6))
network.eval()
outputs = network(values(2, 3, 2, 8, 6)).detach()

here = pathlib.Path(__file__)
safetensors.torch.save_file(network.state_dict(), here.with_name("images.safetensors"))
here.with_name("images.txt").write_text("".join(" ".join(repr(float(x)) for x in row) + "\n" for row in outputs))

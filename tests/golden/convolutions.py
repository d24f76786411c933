"""Writes src/kernel/convolution/pytorch.txt: what PyTorch computes in float64 for convolutions and poolings of random sizes, the
judge of a test in src/kernel/convolution.rs.

Run it with numpy and torch installed: python tests/golden/convolutions.py

A line has the kind, the sizes, and of outputs, gradients by inputs, weights and biases three projections each: the sum of their
products with pseudorandom numbers, divided by the root of their count.
"""

import math
import pathlib

import numpy
import torch
from torch.nn import functional

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
random = numpy.random.default_rng(20261126)


def values(seed, *shape):
    """The numbers that the test generates too, between -1 and 1."""
    state, result = seed * 2654435761 % 2**32, []
    for _ in range(math.prod(shape)):
        state = (state * 1664525 + 1013904223) % 2**32
        result.append(state / 2**31 - 1)
    return torch.tensor(result).reshape(shape)


def projections(seed, tensor):
    flat = tensor.detach().reshape(-1)
    return [float((flat * values(seed + i, flat.numel())).sum() / math.sqrt(flat.numel())) for i in range(3)]


def axis(largest_kernel, dilated):
    kernel, stride = int(random.integers(1, largest_kernel + 1)), int(random.integers(1, 4))
    dilation = int(random.integers(1, 3)) if dilated else 1
    reach = (kernel - 1) * dilation + 1
    padding = int(random.integers(0, kernel // 2 + 1))
    outputs = int(random.integers(1, 9))
    length = max((outputs - 1) * stride + reach + int(random.integers(0, stride)) - 2 * padding, 1, reach - 2 * padding)
    return length, kernel, stride, padding, dilation


lines = []
for index in range(300):
    kind = ["convolution", "convolution", "transposed", "max", "average"][index % 5]
    pools = kind in ("max", "average")
    batch = int(random.choice([1, 2, 3, 8, 16, 32]))
    groups = 1 if pools or kind == "transposed" else int(random.choice([1, 1, 2, 3]))
    channels = groups * int(random.integers(1, 6))
    outputs = channels if pools else groups * int(random.integers(1, 10))
    (h, kh, sh, ph, dh), (w, kw, sw, pw, dw) = axis(5, kind == "convolution"), axis(5, kind == "convolution")
    seed = 64 * index
    x = values(seed, batch, channels, h, w).requires_grad_()
    weight, bias = values(seed + 1, outputs, channels // groups, kh, kw), values(seed + 2, outputs)
    parameters = []
    if kind == "convolution":
        parameters = [weight.requires_grad_(), bias.requires_grad_()]
        y = functional.conv2d(x, weight, bias, (sh, sw), (ph, pw), (dh, dw), groups)
    elif kind == "transposed":
        # From what would be the output of the convolution.
        oh, ow = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1
        x = values(seed, batch, outputs, oh, ow).requires_grad_()
        bias = values(seed + 2, channels)
        parameters = [weight.requires_grad_(), bias.requires_grad_()]
        rest = ((h + 2 * ph - kh) % sh, (w + 2 * pw - kw) % sw)
        y = functional.conv_transpose2d(x, weight, bias, (sh, sw), (ph, pw), rest)
    elif kind == "max":
        y = functional.max_pool2d(x, (kh, kw), (sh, sw), (ph, pw))
    else:
        y = functional.avg_pool2d(x, (kh, kw), (sh, sw), (ph, pw))
    dy = values(seed + 3, *y.shape)
    gradients = torch.autograd.grad(y, [x, *parameters], dy)
    numbers = [number for i, tensor in enumerate([y, *gradients]) for number in projections(seed + 8 + 3 * i, tensor)]
    sizes = [batch, channels, outputs, h, w, kh, kw, sh, sw, ph, pw, dh, dw, groups]
    lines.append(" ".join([kind, *map(str, sizes), *map(repr, numbers)]))

(pathlib.Path(__file__).resolve().parents[2] / "src/kernel/convolution/pytorch.txt").write_text("\n".join(lines) + "\n")

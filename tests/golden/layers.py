"""Writes layers.json beside this file: what PyTorch computes in float64 for networks with normalizing and residual layers,
in training and in evaluation, the judge of tests/layers.rs.

Run it with numpy and torch installed: python tests/golden/layers.py
"""

import json
import pathlib

import numpy
import torch
from torch import nn

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
random = numpy.random.default_rng(20250316)

# How many samples the tests compute together.
MICRO_BATCH = 8


class Residual(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.inside = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.inside(x)


NETWORKS = {
    "batch_norm": lambda: nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.BatchNorm1d(5), nn.Linear(5, 2)),
    "batch_norm first": lambda: nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2)),
    "batch_norm last": lambda: nn.Sequential(nn.Linear(3, 17), nn.BatchNorm1d(17)),
    "layer_norm": lambda: nn.Sequential(nn.Linear(3, 19), nn.Tanh(), nn.LayerNorm(19), nn.Linear(19, 2)),
    "layer_norm first and last": lambda: nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 5), nn.LayerNorm(5)),
    "activate": lambda: nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.Linear(5, 4), nn.Softmax(1)),
    "residual": lambda: nn.Sequential(nn.Linear(3, 5), nn.Tanh(), Residual(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 5)), nn.Linear(5, 2)),
    "residual alone": lambda: Residual(nn.Linear(3, 3), nn.Tanh()),
    "all": lambda: nn.Sequential(
        nn.Linear(3, 6), nn.BatchNorm1d(6), nn.SiLU(), Residual(nn.LayerNorm(6), nn.Linear(6, 6), nn.BatchNorm1d(6)), nn.Linear(6, 2)
    ),
}  # fmt: skip


def numbers(*shape):
    return torch.tensor(numpy.round(random.normal(size=shape), 3))


def start(network):
    with torch.no_grad():
        for name, p in network.named_parameters():
            # Gains near 1, all else near 0.
            p.copy_(torch.round(numbers(*p.shape) * 0.5 + (1.0 if name.endswith("weight") and p.dim() == 1 else 0.0), decimals=3))


def norms(network):
    return [m for m in network.modules() if isinstance(m, nn.BatchNorm1d)]


def case(network, sizes):
    start(network)
    parameters = list(network.parameters())
    result = {"parameters": [p.detach().clone() for p in parameters], "batches": []}
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    test = numbers(7, 3)
    for size in sizes:
        x = numbers(size, 3) * 2 + 1
        x.requires_grad_()
        network.train()
        # A batch that is larger than a micro-batch: one micro-batch after the other, as if each were a batch, but one mean loss.
        outputs = torch.cat([network(part) for part in x.split(MICRO_BATCH)])
        t = numbers(*outputs.shape)
        loss = nn.functional.mse_loss(outputs, t)
        optimizer.zero_grad()
        loss.backward()
        batch = {"inputs": x, "targets": t, "outputs": outputs, "loss": loss, "input_gradients": x.grad}
        batch["gradient"] = [p.grad.clone() for p in parameters]
        optimizer.step()
        batch["running"] = [[m.running_mean.clone(), m.running_var.clone()] for m in norms(network)]
        network.eval()
        with torch.no_grad():
            evaluated = network(test)
            batch |= {"test_inputs": test, "test_outputs": evaluated}
        result["batches"].append(batch)
    return result


def plain(value):
    if isinstance(value, torch.Tensor):
        return value.detach().tolist()
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def main():
    versions = {"numpy": numpy.__version__, "torch": torch.__version__}
    # One case a line.
    cases = [f'"versions":{json.dumps(versions)}']
    for name, make in NETWORKS.items():
        for kind, sizes in (("", [8, 8, 5, 2]), (", larger than a micro-batch", [16, 12, 22])):
            value = plain(case(make(), sizes))
            cases.append(f"{json.dumps(name + kind)}:{json.dumps(value, separators=(',', ':'), allow_nan=False)}")
    (pathlib.Path(__file__).parent / "layers.json").write_text("{" + ",\n".join(cases) + "}\n")


main()

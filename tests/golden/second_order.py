"""Writes second_order.json beside this file: what PyTorch, SciPy and scikit-learn compute in float64, for tests/second_order.rs:
Jacobians and Hessians by torch.func, least squares by scipy.optimize.least_squares(method="lm"), and training by the solver lbfgs
of scikit-learn from the same weights. Prints how long scikit-learn takes.

Run it with numpy, torch, scipy and scikit-learn installed: python tests/golden/second_order.py
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
import json
import pathlib
import time
import warnings

import numpy
import torch
from scipy.optimize import least_squares
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import nn

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
warnings.simplefilter("ignore")
random = numpy.random.default_rng(20251127)


class Residual(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.inside = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.inside(x)


NETWORKS = {
    "dense": lambda: nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 16), nn.Sigmoid(), nn.Linear(16, 3)),
    "softmax": lambda: nn.Sequential(nn.Linear(3, 7), nn.GELU(), nn.Linear(7, 4), nn.Softmax(-1)),
    "batch_norm": lambda: nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.SiLU(), nn.Dropout(0.5), nn.Linear(5, 2)),
    "residual": lambda: nn.Sequential(
        nn.Linear(3, 5), nn.Softplus(), Residual(nn.LayerNorm(5), nn.Linear(5, 5), nn.Tanh()), nn.Linear(5, 2)
    ),
    "one": lambda: nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 5), nn.Softplus(), nn.Linear(5, 1)),
}


def numbers(*shape):
    return torch.tensor(numpy.round(random.normal(size=shape), 3))


def jacobians(name, make):
    network = make()
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.copy_(numbers(*tensor.shape))
        for layer in network:
            if isinstance(layer, nn.BatchNorm1d):
                layer.running_mean.copy_(numbers(5))
                layer.running_var.copy_(numbers(5).abs() + 0.5)
    network.eval()
    x = numbers(network[0].in_features)
    one = lambda x: network(x[None])[0]
    parameters = {name: value.detach() for name, value in network.named_parameters()}
    call = lambda values: torch.func.functional_call(network, values, (x[None],))[0]
    by_parameters = torch.func.jacrev(call)(parameters)
    result = {
        "parameters": [value.tolist() for value in parameters.values()],
        "buffers": [buffer.tolist() for name, buffer in network.named_buffers() if "running" in name],
        "input": x.tolist(),
        "output": one(x).tolist(),
        "jacobian": torch.func.jacrev(one)(x).tolist(),
        "by_parameters": [value.tolist() for value in by_parameters.values()],
    }
    if len(result["output"]) == 1:
        # By the inputs, and the product of that by the parameters with a vector, of the mean squared error.
        result["hessian"] = torch.func.hessian(lambda x: one(x)[0])(x).tolist()
        inputs, targets = numbers(7, network[0].in_features), numbers(7, 1)
        vector = {name: numbers(*value.shape) for name, value in parameters.items()}
        loss = lambda values: ((torch.func.functional_call(network, values, (inputs,)) - targets) ** 2).mean()
        # The gradient of the gradient's product with the vector.
        along = lambda values: sum((part * vector[name]).sum() for name, part in torch.func.grad(loss)(values).items())
        product = torch.func.grad(along)(parameters)
        output = lambda values: torch.func.functional_call(network, values, (inputs,))
        _, tangent = torch.func.jvp(output, (parameters,), (vector,))
        _, pull_back = torch.func.vjp(output, parameters)
        gauss_newton = pull_back(2 * tangent / tangent.numel())[0]
        result |= {
            "inputs": inputs.tolist(),
            "targets": targets.tolist(),
            "vector": [value.tolist() for value in vector.values()],
            "hessian_product": [value.tolist() for value in product.values()],
            "gauss_newton_product": [value.tolist() for value in gauss_newton.values()],
        }
    return result


def least_squares_problem(seed):
    """A network 2-3-1 with tanh, 40 samples of it with noise, and a start nearby."""
    random = numpy.random.default_rng(seed)
    inputs = numpy.round(random.uniform(-2, 2, (40, 2)), 3)
    shapes = [(3, 2), (3,), (1, 3), (1,)]
    sizes = [int(numpy.prod(shape)) for shape in shapes]
    truth = numpy.array([1.2, -0.4, 0.3, 1.1, -0.9, 0.8, 0.2, -0.5, 0.4, 1.0, -1.3, 0.9, 0.1])
    start = numpy.round(truth + random.normal(size=sum(sizes)) * 0.2, 3)
    targets = numpy.zeros(40)

    def residuals(values):
        w1, b1, w2, b2 = (part.reshape(shape) for part, shape in zip(numpy.split(values, numpy.cumsum(sizes)[:-1]), shapes))
        return (numpy.tanh(inputs @ w1.T + b1) @ w2.T + b2)[:, 0] - targets

    targets = numpy.round(residuals(truth) + random.normal(size=40) * 0.05, 3)

    # The complex step: exact.
    def jacobian(values):
        rows = []
        for index in range(len(values)):
            moved = values.astype(complex)
            moved[index] += 1e-200j
            rows.append(residuals(moved).imag / 1e-200)
        return numpy.array(rows).T

    found = least_squares(residuals, start, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=100_000, jac=jacobian)
    # What it leaves is off by the square root of the rounding errors of the loss; the equations themselves are not.
    values = found.x
    for _ in range(20):
        values = values - numpy.linalg.lstsq(jacobian(values), residuals(values), rcond=None)[0]
    rest = residuals(values)
    print(f"SciPy: {found.nfev} evaluations, loss {numpy.mean(found.fun**2):.17f}, off by {abs(rest - found.fun).max():.1e}")
    split = numpy.split(start, numpy.cumsum(sizes)[:-1])
    return {
        "inputs": inputs.tolist(),
        "targets": targets[:, None].tolist(),
        "parameters": [part.reshape(shape).tolist() for part, shape in zip(split, shapes)],
        "residuals": rest.tolist(),
        "loss": float(numpy.mean(found.fun**2)),
        "evaluations": int(found.nfev),
    }


def training(make, inputs, targets, seed):
    network = make(random_state=seed, max_iter=1, solver="lbfgs", activation="tanh", hidden_layer_sizes=(16,), warm_start=True)
    network.fit(inputs, targets)
    start = [tensor for pair in zip(network.coefs_, network.intercepts_) for tensor in (pair[0].T.tolist(), pair[1].tolist())]
    network.max_iter, network.max_fun = 200, 15000
    begin = time.perf_counter()
    network.fit(inputs, targets)
    seconds = time.perf_counter() - begin
    print(f"{make.__name__}: {network.n_iter_} iterations in {seconds * 1e3:.1f} ms, loss {network.loss_:.9f}")
    return {"parameters": start, "loss": network.loss_, "iterations": network.n_iter_, "alpha": network.alpha}


def scaled(values):
    return numpy.round((values - values.mean(0)) / values.std(0), 3)


def main():
    diabetes, cancer = load_diabetes(), load_breast_cancer()
    x, y = scaled(diabetes.data), scaled(diabetes.target)
    cancer_x, cancer_y = scaled(cancer.data), cancer.target
    result = {
        "jacobians": {name: jacobians(name, make) for name, make in NETWORKS.items()},
        "least_squares": [least_squares_problem(seed) for seed in range(5)],
        "diabetes": {"inputs": x.tolist(), "targets": y[:, None].tolist(), "runs": [training(MLPRegressor, x, y, seed) for seed in range(3)]},
        "cancer": {
            "inputs": cancer_x.tolist(),
            "targets": cancer_y.tolist(),
            "runs": [training(MLPClassifier, cancer_x, cancer_y, seed) for seed in range(3)],
        },
    }
    text = json.dumps(result, separators=(",", ":"))
    pathlib.Path(__file__).with_suffix(".json").write_text(text + "\n")


main()

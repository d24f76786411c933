"""Writes schedules.json beside this file: the learning rates that PyTorch and scikit-learn take, the judge of
tests/schedules.rs.

Run it with numpy, torch and scikit-learn installed: python tests/golden/schedules.py
"""

import json
import pathlib
import warnings

import numpy
import sklearn
import torch
from sklearn.neural_network import MLPRegressor
from torch.optim import lr_scheduler as schedulers

warnings.simplefilter("ignore")
random = numpy.random.default_rng(20250315)
RATE = 0.3


def rates(make, count):
    """The rates of the first epochs or steps."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    schedule, result = make(optimizer), []
    for _ in range(count):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return {"rate": RATE, "rates": result}


def step():
    cases = [(1, 0.9), (10, 0.1), (7, 0.5), (3, 1.5)]
    return [{"length": n, "factor": f} | rates(lambda o: schedulers.StepLR(o, n, f), 50) for n, f in cases]


def exponential():
    return [{"factor": f} | rates(lambda o: schedulers.ExponentialLR(o, f), 50) for f in (0.95, 0.5, 1.1)]


def cosine():
    cases = [(50, 0.0), (50, 0.01), (7, 0.1), (1, 0.0)]
    make = lambda n, low: rates(lambda o: schedulers.CosineAnnealingLR(o, n, eta_min=low), n + 1)
    return [{"length": n, "lowest": low / RATE} | make(n, low) for n, low in cases]


def warmup():
    """Linear, then cosine."""

    def both(o, n, start, then):
        parts = [schedulers.LinearLR(o, start, 1.0, n), schedulers.CosineAnnealingLR(o, then)]
        return schedulers.SequentialLR(o, parts, [n])

    cases = [(5, 1 / 3, 20), (10, 0.01, 10), (1, 0.5, 3)]
    return [{"length": n, "start": s, "then": t} | rates(lambda o: both(o, n, s, t), n + t + 1) for n, s, t in cases]


def one_cycle():
    cases = [(100, 0.3, 25.0, 1e4), (37, 0.25, 10.0, 100.0), (10, 0.5, 25.0, 1e4), (1000, 0.1, 3.0, 7.0), (13, 0.9, 25.0, 1e4)]
    result = []
    for length, rise, first, last in cases:
        make = lambda o: schedulers.OneCycleLR(
            o, RATE, total_steps=length, pct_start=rise, div_factor=first, final_div_factor=last, cycle_momentum=False
        )
        # Its last step is one past the end, which PyTorch refuses.
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
        schedule, found = make(optimizer), []
        for position in range(length):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if position + 1 < length:
                schedule.step()
        result.append({"length": length, "rise": rise, "first": first, "last": last, "rate": RATE, "rates": found})
    return result


class Watched(MLPRegressor):
    """Takes down the rate that each epoch was trained with."""

    def _update_no_improvement_count(self, *arguments):
        self.watched_rates.append(self._optimizer.learning_rate)
        super()._update_no_improvement_count(*arguments)


def adaptive():
    result = []
    for patience, tolerance, rate, noise in ((1, 1e-4, 0.05, 0.5), (2, 1e-3, 0.1, 1.0), (10, 1e-4, 0.05, 0.5), (1, 0.01, 0.1, 2.0)):
        x = random.normal(size=(60, 3))
        y = x[:, 0] * x[:, 1] + noise * random.normal(size=60)
        model = Watched(
            hidden_layer_sizes=(5,), solver="sgd", learning_rate="adaptive", learning_rate_init=rate, momentum=0, alpha=0, batch_size=8,
            max_iter=200, n_iter_no_change=patience, tol=tolerance, random_state=7,
        )  # fmt: skip
        model.watched_rates = []
        model.fit(x, y)
        case = {"patience": patience, "tolerance": tolerance, "rate": rate, "losses": model.loss_curve_, "rates": model.watched_rates}
        # Several divisions, or the case says little.
        assert len(set(case["rates"])) > 3, case["rates"]
        result.append(case)
    return result


def main():
    versions = {"numpy": numpy.__version__, "torch": torch.__version__, "scikit-learn": sklearn.__version__}
    # One case a line.
    parts = [f'"versions":{json.dumps(versions)}']
    for section in (step, exponential, cosine, warmup, one_cycle, adaptive):
        cases = (json.dumps(case, separators=(",", ":"), allow_nan=False) for case in section())
        parts.append(f"{json.dumps(section.__name__)}:[\n" + ",\n".join(cases) + "\n]")
    (pathlib.Path(__file__).parent / "schedules.json").write_text("{" + ",\n".join(parts) + "}\n")


main()

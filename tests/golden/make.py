"""Writes golden.json beside this file: what PyTorch computes in float64 for small networks, the judge of tests/golden.rs.

Run it with numpy and torch installed: python tests/golden/make.py

Numbers that go in (weights, inputs, targets) have three decimals, what comes out has all digits. A sample too near to a kink
of its activation or loss, where f32 might fall on the other side, is drawn again.
"""

import json
import pathlib

import numpy
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
random = numpy.random.default_rng(20240607)

# Name: function, kinks.
ACTIVATIONS = {
    "identity": (lambda z: z, []),
    "relu": (F.relu, [0]),
    "leaky_relu": (F.leaky_relu, [0]),
    "leaky_relu_200": (lambda z: F.leaky_relu(z, 0.2), [0]),
    "elu": (F.elu, []),
    "selu": (F.selu, [0]),
    "gelu": (F.gelu, []),
    "silu": (F.silu, []),
    "sigmoid": (torch.sigmoid, []),
    # Not F.hardsigmoid, whose gradient is 1/6 rounded to float32 even in float64 (torch 2.15).
    "hard_sigmoid": (lambda z: F.relu6(z + 3) / 6, [-3, 3]),
    "tanh": (torch.tanh, []),
    "softplus": (F.softplus, []),
    "softsign": (F.softsign, []),
    "softmax": (lambda z: F.softmax(z, dim=1), []),
}

# Each gives the loss of every sample from the last layer before its activation (z), after it (y), and targets (t).
mse = lambda z, y, t: F.mse_loss(y, t, reduction="none").mean(1)
mae = lambda z, y, t: F.l1_loss(y, t, reduction="none").mean(1)
huber = lambda z, y, t: F.huber_loss(y, t, reduction="none").mean(1)
huber_half = lambda z, y, t: F.huber_loss(y, t, reduction="none", delta=0.5).mean(1)
bce = lambda z, y, t: F.binary_cross_entropy(y, t, reduction="none").mean(1)
bce_logits = lambda z, y, t: F.binary_cross_entropy_with_logits(z, t, reduction="none").mean(1)
bce_logits_class = lambda z, y, t: bce_logits(z, y, t.reshape(-1, 1).to(z.dtype))
ce_logits = lambda z, y, t: F.cross_entropy(z, t, reduction="none")


def ce(z, y, t):
    if t.dtype == torch.long:
        t = F.one_hot(t, y.shape[1])
    return -(t * y.log()).sum(1)


def numbers(*shape, scale=1.0):
    return torch.tensor(numpy.round(random.normal(size=shape) * scale, 3))


def probabilities(*shape):
    """Some of them exactly 0 or 1."""
    return torch.tensor(numpy.round(numpy.clip(random.uniform(-0.2, 1.2, size=shape), 0, 1), 3))


def distributions(samples, size):
    t = random.exponential(size=(samples, size)) ** 2
    return torch.tensor(numpy.round(t / t.sum(1, keepdims=True), 3))


def classes(samples, size):
    return torch.tensor(random.integers(0, size, size=samples))


def parameters(sizes, gain=1.0):
    """Weight and bias of each layer."""
    pairs = zip(sizes, sizes[1:])
    return [p for n, m in pairs for p in (numbers(m, n, scale=gain / n**0.5), numbers(m, scale=0.3))]


def forward(parameters, activations, x):
    """The last layer before and after its activation, and how far each sample is from the nearest kink."""
    distance = torch.full(x.shape[:1], numpy.inf)
    for weight, bias, name in zip(parameters[::2], parameters[1::2], activations):
        function, kinks = ACTIVATIONS[name]
        z = x @ weight.T + bias
        for kink in kinks:
            distance = distance.minimum((z - kink).abs().amin(1))
        x = function(z)
    return z, x, distance


def clear_inputs(samples, start, activations, enough=1e-3):
    """Inputs far enough from every kink."""
    x = numbers(samples, start[0].shape[1])
    for _ in range(1000):
        near = forward(start, activations, x)[2] < enough
        if not near.any():
            return x
        x[near] = numbers(int(near.sum()), x.shape[1])
    raise RuntimeError(f"no inputs clear of the kinks of {activations}")


def leaf(tensors):
    return [t.clone().requires_grad_() for t in tensors]


def evaluate(start, activations, loss, x, t, weights, class_weights):
    """Mean loss of one batch and what autograd makes of it."""
    p, (x,) = leaf(start), leaf([x])
    z, y, _ = forward(p, activations, x)
    y.retain_grad()
    if class_weights is not None and loss is ce_logits:
        mean = F.cross_entropy(z, t, weight=class_weights)
    else:
        if class_weights is not None:
            weights = class_weights[t]
        each = loss(z, y, t)
        mean = each.mean() if weights is None else (weights * each).sum() / weights.sum()
    mean.backward()
    return mean, p, x, y


def case(start, activations, loss, x, t, batches, weights=None, class_weights=None):
    result = {"parameters": start, "inputs": x, "targets": t}
    if weights is not None:
        result["weights"] = weights
    if class_weights is not None:
        result["class_weights"] = class_weights
    result["outputs"] = forward(start, activations, x)[1]
    result["batches"] = []
    for first, count in batches:
        part = slice(first, first + count)
        part_weights = None if weights is None else weights[part]
        mean, p, _, _ = evaluate(start, activations, loss, x[part], t[part], part_weights, class_weights)
        assert torch.isfinite(mean) and all(torch.isfinite(g.grad).all() for g in p)
        result["batches"].append({"first": first, "count": count, "loss": mean, "gradient": [g.grad for g in p]})
    return result


def chain(sizes, activations, samples=5, gain=1.0):
    """A chain under mean squared error, with the gradients by its outputs and inputs."""
    start, t = parameters(sizes, gain), numbers(samples, sizes[-1])
    x = clear_inputs(samples, start, activations)
    result = case(start, activations, mse, x, t, [(0, samples)])
    _, _, x, y = evaluate(start, activations, mse, x, t, None, None)
    return result | {"output_gradients": y.grad, "input_gradients": x.grad}


def activations():
    result = {}
    for name in ACTIVATIONS:
        hidden = "tanh" if name == "softmax" else name
        # Far enough apart that hard sigmoid and hyperbolic tangent see their flat parts.
        result[name] = chain([3, 9, 4], [hidden, name], gain=2.5)
    return result


DEEP = ["tanh", "softplus", "gelu", "selu", "silu", "elu"]


def chains():
    return {"deep": chain([3, 17, 5, 9, 1, 12, 4], DEEP)}


def one_layer(head, loss, size, make_targets, gain=2.0, **weights):
    start, t = parameters([4, size], gain), make_targets(40, size)
    # Probabilities near 1 lose digits in f32.
    x = clear_inputs(40, start, [head], enough=0.05 if loss is bce else 1e-3)
    if loss is mae:
        y = forward(start, [head], x)[1]
        t = torch.where((y - t).abs() < 1e-3, t + 0.1, t)
    return case(start, [head], loss, x, t, [(0, 1), (0, 5), (0, 40)], **weights)


def losses():
    kinds = {
        "mse": ("identity", mse, numbers),
        "mae": ("identity", mae, numbers),
        "huber": ("identity", huber, numbers),
        "huber_half": ("identity", huber_half, numbers),
        "bce_sigmoid": ("sigmoid", bce_logits, probabilities),
        "bce_identity": ("identity", bce_logits, probabilities),
        "bce_hard_sigmoid": ("hard_sigmoid", bce, probabilities),
        "ce_softmax_class": ("softmax", ce_logits, classes),
        "ce_softmax": ("softmax", ce_logits, distributions),
        "ce_identity_class": ("identity", ce_logits, classes),
        "ce_identity": ("identity", ce_logits, distributions),
        "ce_sigmoid_class": ("sigmoid", ce, classes),
        "ce_sigmoid": ("sigmoid", ce, distributions),
    }
    result = {f"{name} {size}": one_layer(head, loss, size, make) for name, (head, loss, make) in kinds.items() for size in (1, 3, 10, 17)}
    # Cross-entropy of one output does not compile. These are made all the same, or all others would change.
    for name in kinds:
        if name.startswith("ce_"):
            del result[f"{name} 1"]
    yes_or_no = lambda samples, _: classes(samples, 2)
    result["bce_sigmoid_class 1"] = one_layer("sigmoid", bce_logits_class, 1, yes_or_no)
    result["bce_identity_class 1"] = one_layer("identity", bce_logits_class, 1, yes_or_no)
    return result


def weighted():
    sample_weights = torch.tensor(numpy.round(random.uniform(0, 2, size=40), 3))
    sample_weights[2] = 0.0
    class_weights = lambda size: torch.tensor(numpy.round(random.uniform(0.2, 3, size=size), 3))
    yes_or_no = lambda samples, _: classes(samples, 2)
    return {
        "mse 3": one_layer("identity", mse, 3, numbers, weights=sample_weights),
        "bce_sigmoid 10": one_layer("sigmoid", bce_logits, 10, probabilities, weights=sample_weights),
        "ce_softmax 3": one_layer("softmax", ce_logits, 3, distributions, weights=sample_weights),
        "ce_softmax_class 10": one_layer("softmax", ce_logits, 10, classes, weights=sample_weights),
        "by class: ce_softmax 3": one_layer("softmax", ce_logits, 3, classes, class_weights=class_weights(3)),
        "by class: ce_identity 17": one_layer("identity", ce_logits, 17, classes, class_weights=class_weights(17)),
        "by class: bce_sigmoid 1": one_layer("sigmoid", bce_logits_class, 1, yes_or_no, class_weights=class_weights(2)),
    }


def extremes():
    """Logits that overflow a naive formula: the weights are the identity, so that the inputs are the logits."""
    big = [
        [1e3, -1e3, 0], [-1e3, 1e3, 0.5], [1e4, -1e4, 1e3], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4], [1e4, 9999, -1e4],
        [0, 1e-3, -1e4], [-800, -745, -700], [800, 745, 700], [-90, -89, -104], [88, 100, 103], [0, 0, 0],
    ]  # fmt: skip
    logits = torch.tensor([[float(z) for z in row] for row in big for _ in range(2)])
    count = len(logits)
    start = [torch.eye(3), torch.zeros(3)]
    # Each sample alone, and all together.
    batches = [(i, 1) for i in range(count)] + [(0, count)]
    sure = torch.tensor([[float((i + j) % 2) for j in range(3)] for i in range(count)])
    # Exact in f32, since gradients near zero are differences of these and probabilities near 0 and 1.
    parts = (distributions(count, 3) * 256).round() / 256
    result = {}
    for head in ("sigmoid", "identity"):
        result[f"bce_{head} sure"] = case(start, [head], bce_logits, logits, sure, batches)
        result[f"bce_{head} unsure"] = case(start, [head], bce_logits, logits, probabilities(count, 3), batches)
    for head in ("softmax", "identity"):
        result[f"ce_{head} class"] = case(start, [head], ce_logits, logits, classes(count, 3), batches)
        result[f"ce_{head} distribution"] = case(start, [head], ce_logits, logits, parts, batches)
    return result


def optimizers():
    sgd = lambda **options: lambda groups: torch.optim.SGD(groups, lr=0.1, **options)
    adam = lambda groups: torch.optim.Adam(groups, lr=0.02)
    adamw = lambda groups: torch.optim.AdamW(groups, lr=0.02)
    # Optimizer; for weights alone: L1 and L2 penalties, decoupled decay; limits to the gradient's length and values.
    rules = {
        "sgd": (sgd(), {}),
        "momentum": (sgd(momentum=0.9), {}),
        "nesterov": (sgd(momentum=0.9, nesterov=True), {}),
        "rmsprop": (lambda groups: torch.optim.RMSprop(groups, lr=0.02), {}),
        "adagrad": (lambda groups: torch.optim.Adagrad(groups, lr=0.1), {}),
        "adam": (adam, {}),
        "adamw": (adamw, {"weight_decay": 0.01}),
        "adamw 0.3": (adamw, {"weight_decay": 0.3}),
    }
    for name, base in (("sgd", sgd()), ("adam", adam)):
        rules[f"{name} l1"] = (base, {"l1": 0.05})
        rules[f"{name} l2"] = (base, {"weight_decay": 0.2})
        rules[f"{name} decay"] = (base, {"decay": 0.3})
        rules[f"{name} clip_norm"] = (base, {"clip_norm": 2.0})
        rules[f"{name} clip_value"] = (base, {"clip_value": 0.1})
    rules["adam l2 clip_norm"] = (adam, {"weight_decay": 0.2, "clip_norm": 2.0})
    return {name: ten_steps(*rule) for name, rule in rules.items()}


OPTIMIZED = {"parameters": parameters([3, 5, 2]), "inputs": numbers(8, 3), "targets": numbers(8, 2)}


def ten_steps(make, options):
    p, x, t = leaf(OPTIMIZED["parameters"]), OPTIMIZED["inputs"], OPTIMIZED["targets"]
    weights, biases = p[::2], p[1::2]
    optimizer = make([
        {"params": weights, "weight_decay": options.get("weight_decay", 0.0)},
        {"params": biases, "weight_decay": 0.0},
    ])  # fmt: skip
    rate = optimizer.param_groups[0]["lr"]
    steps, norms, largest = [], [], []
    for _ in range(10):
        optimizer.zero_grad()
        z, y, _ = forward(p, ["tanh", "identity"], x)
        mse(z, y, t).mean().backward()
        gradients = [q.grad for q in p]
        norms.append(torch.nn.utils.get_total_norm(gradients).item())
        largest.append(max(g.abs().max().item() for g in gradients))
        with torch.no_grad():
            # clip_grad_norm_ adds 1e-6 to the norm; the definition does not.
            if norms[-1] > options.get("clip_norm", numpy.inf):
                for g in gradients:
                    g *= options["clip_norm"] / norms[-1]
            torch.nn.utils.clip_grad_value_(p, options.get("clip_value", numpy.inf))
            for weight in weights:
                weight.grad += options.get("l1", 0.0) * weight.sign()
                weight *= 1 - rate * options.get("decay", 0.0)
        optimizer.step()
        steps.append([q.detach().clone() for q in p])
    # A limit that is always or never reached tests half of the rule.
    assert "clip_norm" not in options or min(norms) < options["clip_norm"] < max(norms), norms
    assert "clip_value" not in options or options["clip_value"] < max(largest)
    return OPTIMIZED | {"steps": steps}


def plain(value):
    if isinstance(value, torch.Tensor):
        return value.detach().tolist()
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def main():
    # One case a line.
    sections = []
    for section in (activations, chains, losses, weighted, extremes, optimizers):
        cases = (f"{json.dumps(k)}:{json.dumps(plain(v), separators=(',', ':'))}" for k, v in section().items())
        sections.append(f"{json.dumps(section.__name__)}:{{\n" + ",\n".join(cases) + "\n}")
    (pathlib.Path(__file__).parent / "golden.json").write_text("{" + ",\n".join(sections) + "}\n")


main()

"""Writes metrics.json beside this file: what scikit-learn's metrics give, the judge of tests/metrics.rs.

Run it with numpy and scikit-learn installed: python tests/golden/metrics.py
"""

import json
import pathlib
import warnings

import numpy
import sklearn
from sklearn import metrics

# Degenerate inputs are what half of the cases are for.
warnings.simplefilter("ignore")
random = numpy.random.default_rng(20250314)

AVERAGES = ["macro", "micro", "weighted"]
BETAS = [0.0, 0.5, 1.0, 2.0, numpy.inf]


def judged(classes, truth, predicted):
    """All that follows from a confusion matrix."""
    scores = {"accuracy": metrics.accuracy_score(truth, predicted)}
    scores["balanced_accuracy"] = metrics.balanced_accuracy_score(truth, predicted)
    scores["matthews"] = metrics.matthews_corrcoef(truth, predicted)
    for average in AVERAGES + list(range(classes)):
        options = {"average": average, "zero_division": 0}
        if isinstance(average, int):
            options |= {"labels": [average], "average": "macro"}
        scores[f"precision {average}"] = metrics.precision_score(truth, predicted, **options)
        scores[f"recall {average}"] = metrics.recall_score(truth, predicted, **options)
        for beta in BETAS:
            scores[f"f {beta} {average}"] = metrics.fbeta_score(truth, predicted, beta=beta, **options)
    return {"classes": classes, "truth": truth, "predicted": predicted, "scores": scores}


def confusions():
    cases = {}
    for classes in (2, 3, 5):
        for samples in (1, 2, 7, 100):
            truth = random.integers(0, classes, samples)
            cases[f"random {classes} {samples}"] = judged(classes, truth, random.integers(0, classes, samples))
            better = numpy.where(random.random(samples) < 0.7, truth, random.integers(0, classes, samples))
            cases[f"better {classes} {samples}"] = judged(classes, truth, better)
        truth, last = random.integers(0, classes, 50), numpy.full(50, classes - 1)
        cases[f"right {classes}"] = judged(classes, truth, truth)
        cases[f"wrong {classes}"] = judged(classes, truth, (truth + 1) % classes)
        cases[f"one predicted {classes}"] = judged(classes, truth, last)
        cases[f"one true {classes}"] = judged(classes, last, truth)
        cases[f"one only {classes}"] = judged(classes, last, last)
        cases[f"nothing in common {classes}"] = judged(classes, last, last * 0)
    # A class that does not occur, one that is never predicted, one that is predicted only.
    cases["missing"] = judged(5, random.choice([0, 1, 2], 60), random.choice([0, 1, 4], 60))
    cases["rare"] = judged(3, (random.random(3000) < 0.002) * 2, (random.random(3000) < 0.01) * 2)
    return cases


def thresholds():
    cases = {}
    for threshold in (0.0, 0.1, 0.5, 0.75, 1.0):
        p = numpy.round(random.random(40), 2)
        p[:4] = [0, 1, threshold, threshold]
        truth = (random.random(40) < p).astype(int)
        cases[str(threshold)] = {"threshold": threshold, "probabilities": p.reshape(-1, 1)} | judged(2, truth, (p >= threshold).astype(int))
    return cases


def softmax(logits):
    e = numpy.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def ranked(scores, truth):
    """AUC of classes 0 and 1 by one score, or of as many classes as there are scores."""
    if scores.shape[1] == 1:
        return {"scores": scores, "truth": truth, "auc": metrics.roc_auc_score(truth, scores[:, 0])}
    options = {"multi_class": "ovr", "labels": range(scores.shape[1])}
    # Two columns are a binary question to scikit-learn.
    auc = metrics.roc_auc_score(truth, scores[:, 1]) if scores.shape[1] == 2 else metrics.roc_auc_score(truth, scores, **options)
    return {"scores": scores, "truth": truth, "auc": auc}


def areas():
    truth = numpy.array([0, 1, 1, 0, 1, 0, 0, 1, 1, 1])
    order = numpy.arange(10.0).reshape(-1, 1)
    cases = {
        "all the same": ranked(order * 0, truth),
        "perfect": ranked(truth.reshape(-1, 1) * 1.0, truth),
        "upside down": ranked(truth.reshape(-1, 1) * -1.0, truth),
        "two": ranked(order[:2], truth[:2]),
        "no probabilities": ranked(order * 1e6 - 5e6, truth),
    }
    for digits in (1, 2, 16):
        logits = random.normal(size=(200, 1))
        truth = (logits[:, 0] + random.normal(size=200) > 0.8).astype(int)
        # Few digits make many ties.
        cases[f"binary {digits}"] = ranked(numpy.round(logits, digits), truth)
    for classes in (2, 3, 6):
        truth = random.integers(0, classes, 150)
        logits = random.normal(size=(150, classes)) + 1.5 * numpy.eye(classes)[truth]
        cases[f"classes {classes}"] = ranked(softmax(logits), truth)
        # Ties, in probabilities that still have the sum 1.
        cases[f"tied {classes}"] = ranked(numpy.eye(classes)[logits.argmax(1)], truth)
    return cases


def surprised(probabilities, truth):
    p, classes = (probabilities[:, 0], 2) if probabilities.shape[1] == 1 else (probabilities, probabilities.shape[1])
    return {"probabilities": probabilities, "truth": truth, "loss": metrics.log_loss(truth, p, labels=range(classes))}


def log_losses():
    cases = {}
    for classes in (2, 3, 6):
        truth = random.integers(0, classes, 80)
        logits = random.normal(size=(80, classes)) + numpy.eye(classes)[truth]
        cases[f"soft {classes}"] = surprised(softmax(logits), truth)
        cases[f"sure {classes}"] = surprised(softmax(40 * logits), truth)
        cases[f"certain {classes}"] = surprised(numpy.eye(classes)[logits.argmax(1)], truth)
    truth = random.integers(0, 2, 80)
    cases["binary"] = surprised(random.random((80, 1)), truth)
    cases["binary certain"] = surprised(random.integers(0, 2, (80, 1)) * 1.0, truth)
    cases["one class"] = surprised(random.random((5, 1)), numpy.ones(5, int))
    cases["one sample"] = surprised(numpy.array([[0.3]]), numpy.array([0]))
    return cases


def measured(predictions, targets):
    return {
        "predictions": predictions,
        "targets": targets,
        "mean_squared_error": metrics.mean_squared_error(targets, predictions),
        "mean_absolute_error": metrics.mean_absolute_error(targets, predictions),
        "r2": metrics.r2_score(targets, predictions),
    }


def regressions():
    cases = {}
    for outputs in (1, 3):
        targets = random.normal(size=(60, outputs)) * 3 + 7
        constant = numpy.full_like(targets, 2.5)
        cases[f"near {outputs}"] = measured(targets + random.normal(size=targets.shape), targets)
        cases[f"far {outputs}"] = measured(random.normal(size=targets.shape) * 100, targets)
        cases[f"exact {outputs}"] = measured(targets, targets)
        cases[f"constant {outputs}"] = measured(targets, constant)
        cases[f"constant and exact {outputs}"] = measured(constant, constant)
        cases[f"two {outputs}"] = measured(targets[:2] + 1, targets[:2])
        cases[f"large {outputs}"] = measured(1e6 + targets + random.normal(size=targets.shape), 1e6 + targets)
    mixed = numpy.column_stack([random.normal(size=20), numpy.full(20, 3.0), numpy.full(20, 4.0)])
    cases["one varies 3"] = measured(mixed + [0.1, 0.0, 0.1], mixed)
    return cases


def plain(value):
    if isinstance(value, (numpy.ndarray, numpy.generic)):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    return value


def main():
    versions = {"numpy": numpy.__version__, "scikit-learn": sklearn.__version__}
    # One case a line.
    sections = [f'"versions":{json.dumps(versions)}']
    for section in (confusions, thresholds, areas, log_losses, regressions):
        cases = (f"{json.dumps(k)}:{json.dumps(plain(v), separators=(',', ':'), allow_nan=False)}" for k, v in section().items())
        sections.append(f"{json.dumps(section.__name__)}:{{\n" + ",\n".join(cases) + "\n}")
    (pathlib.Path(__file__).parent / "metrics.json").write_text("{" + ",\n".join(sections) + "}\n")


main()

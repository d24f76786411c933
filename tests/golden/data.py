"""Writes data.json beside this file: scikit-learn's scalers and how many samples of each class its stratified folds have, the
judge of tests/data.rs.

Run it with numpy and scikit-learn installed: python tests/golden/data.py
"""

import json
import pathlib

import numpy
import sklearn
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import MinMaxScaler, StandardScaler

random = numpy.random.default_rng(20250317)


def scalers():
    """Three features: one of any kind, one on another scale, one that is constant."""
    result = []
    for count, constant, scale in ((50, 0.1, 1e6), (2, -3.0, 1e-6), (1, 7.0, 1.0), (500, 1e5, 1e3)):
        x = numpy.column_stack([random.normal(size=count), 5 * scale + scale * random.random(count), numpy.full(count, constant)])
        new = x[:1] + random.normal(size=(5, 3)) * [1, scale, 1]
        case = {"samples": x, "new": new}
        for name, scaler in (("standard", StandardScaler()), ("min_max", MinMaxScaler())):
            scaler.fit(x)
            case[name] = scaler.transform(new)
            case[f"{name} inverse"] = scaler.inverse_transform(new)
        result.append(case)
    return result


def folds():
    result = []
    for count, shares, k in (
        (150, [1, 1, 1], 5), (150, [1, 1, 1], 7), (100, [8, 1, 1], 4), (101, [1, 2, 4], 3), (37, [1, 1, 1], 10), (20, [1, 1, 1], 2),
        (999, [30, 1, 5], 10), (64, [0, 1, 3], 6),
    ):  # fmt: skip
        while True:
            y = random.choice(3, size=count, p=numpy.array(shares) / sum(shares))
            # The smallest class in the middle of the numbers, and the classes in any order.
            y = numpy.array([1, 2, 0])[y]
            if all(n == 0 or n >= k for n in numpy.bincount(y, minlength=3)):
                break
        parts = StratifiedKFold(k, shuffle=True, random_state=0).split(numpy.zeros(count), y)
        counts = [numpy.bincount(y[test], minlength=3) for _, test in parts]
        sizes = [len(test) for _, test in KFold(k, shuffle=True, random_state=0).split(numpy.zeros(count))]
        result.append({"folds": k, "classes": y, "counts": counts, "sizes": sizes})
    return result


def plain(value):
    if isinstance(value, (numpy.ndarray, numpy.generic)):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def main():
    versions = {"numpy": numpy.__version__, "scikit-learn": sklearn.__version__}
    # One case a line.
    parts = [f'"versions":{json.dumps(versions)}']
    for section in (scalers, folds):
        cases = (json.dumps(plain(case), separators=(",", ":"), allow_nan=False) for case in section())
        parts.append(f"{json.dumps(section.__name__)}:[\n" + ",\n".join(cases) + "\n]")
    (pathlib.Path(__file__).parent / "data.json").write_text("{" + ",\n".join(parts) + "}\n")


main()

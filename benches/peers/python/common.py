"""What the Python peers share: inputs, the clock, and the lines that `run` reads."""

import json
import os
import sys
import time

import numpy as np

BATCH = 32
XOR_STEPS = 1000  # after so many steps W1 is checked
CURVE_STEPS = {"W4": 100, "W4L": 20}
CURVE_COUNT = {"W4": 200, "W4L": 10_000}
SIZES = {"xor": [2, 10, 1], "small": [4, 16, 16, 3], "digits": [64, 32, 10], "mnist": [784, 128, 64, 10],
         "curve": [4, 32, 16, 4]}
INFERENCE = {"W2a": "small", "W2b": "digits", "W2c": "mnist"}

folder = sys.argv[-2]
workloads = sys.argv[-1].split(",")
budget = float(os.environ.get("PEERS_SECONDS", "0.4"))


def numbers(name, columns):
    return np.fromfile(f"{folder}/{name}", dtype="<f4").reshape(-1, columns).astype(np.float32)


def layers(name):
    """Weights, outputs by inputs, and biases of each layer."""
    rest, found = np.fromfile(f"{folder}/{name}.weights", dtype="<f4").astype(np.float32), []
    for inputs, outputs in zip(SIZES[name], SIZES[name][1:]):
        weight, bias, rest = np.split(rest, [outputs * inputs, outputs * inputs + outputs])
        found.append((weight.reshape(outputs, inputs).copy(), bias.copy()))
    return found


def inputs(name):
    return numbers(f"{name}.inputs", SIZES[name][0])


LENET_STEPS = 20
LENET_SHAPES = [(6, 1, 5, 5), (16, 6, 5, 5), (120, 256), (84, 120), (10, 84)]


def lenet_layers():
    """Weights, outputs by inputs (by rows by columns), and biases of each layer."""
    rest, found = np.fromfile(f"{folder}/lenet.weights", dtype="<f4").astype(np.float32), []
    for shape in LENET_SHAPES:
        count = int(np.prod(shape))
        weight, bias, rest = np.split(rest, [count, count + shape[0]])
        found.append((weight.reshape(shape).copy(), bias.copy()))
    return found


def lenet():
    return numbers("lenet.inputs", 784).reshape(-1, 1, 28, 28), np.fromfile(f"{folder}/lenet.classes", dtype=np.uint8)


GRU_STEPS = 20


def gru_layers():
    """Weights and biases: by the input, by the state, and of the last layer; gates in the order of PyTorch."""
    rest, found = np.fromfile(f"{folder}/gru.weights", dtype="<f4").astype(np.float32), []
    for shape in [(96, 1), (96, 32), (10, 32)]:
        count = int(np.prod(shape))
        weight, bias, rest = np.split(rest, [count, count + shape[0]])
        found.append((weight.reshape(shape).copy(), bias.copy()))
    return found


def gru():
    return numbers("gru.inputs", 40).reshape(-1, 40, 1), np.fromfile(f"{folder}/gru.classes", dtype=np.uint8)


def xor():
    return inputs("xor"), numbers("xor.targets", 1)


def digits():
    return inputs("digits"), np.fromfile(f"{folder}/digits.classes", dtype=np.uint8)


def curve(workload):
    count = CURVE_COUNT[workload]
    return inputs("curve")[:count], numbers("curve.targets", 4)[:count]


def batches(order):
    """The indices of each batch; the last one is what is left."""
    return [order[first:first + BATCH] for first in range(0, len(order), BATCH)]


def best_time(call):
    """The best time of one call, over as many repetitions as the budget allows; each takes at least 2 ms."""
    calls, best, end = 1, float("inf"), time.perf_counter() + budget
    while time.perf_counter() < end or best == float("inf"):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        elapsed = time.perf_counter() - start
        if elapsed < 2e-3:
            calls *= 2
        else:
            best = min(best, elapsed / calls)
    return best


def checksum(outputs):
    """What all inference workloads are compared by; see `run`."""
    outputs = np.abs(np.asarray(outputs, dtype=np.float64)).ravel()
    return float((outputs * (1 + np.arange(outputs.size) % 7)).mean())


def one_by_one(predict, samples, as_numpy=np.asarray):
    """The time of one call of `predict`, over 64 samples in turn, and the checksum of its outputs."""
    sum_of_all = checksum([as_numpy(predict(sample)) for sample in samples])

    def all_samples():
        for sample in samples:
            predict(sample)

    return best_time(all_samples) / len(samples), sum_of_all


def peer(run):
    """Reports what `run(workload)` returns: seconds, loss, and if the work is not exactly equal a note."""
    for workload in workloads:
        try:
            seconds, loss, *note = run(workload)
            row = {"workload": workload, "seconds": seconds, "loss": float(loss)}
            row.update(zip(["note"], note))
        except Exception as error:
            words = str(error).strip().splitlines() or ["no words"]
            row = {"workload": workload, "missing": f"{type(error).__name__}: {words[-1]}"}
        print(json.dumps(row), flush=True)

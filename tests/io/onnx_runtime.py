"""ONNX Runtime's answers from the files of tests/export.rs against ours. Started by `run` beside it.

    onnx_runtime.py FOLDER
"""

import pathlib
import sys

import numpy
import onnx
import onnxruntime


def check(path):
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    number = {"tensor(float)": numpy.float32, "tensor(double)": numpy.float64}[session.get_inputs()[0].type]
    samples, width = session.get_inputs()[0].shape
    assert samples == "samples" and session.get_outputs()[0].shape[0] == "samples"
    inputs = numpy.fromfile(path.with_suffix(".inputs"), number).reshape(-1, width)
    right = numpy.fromfile(path.with_suffix(".outputs"), number).reshape(len(inputs), -1)
    [found] = session.run(["output"], {"input": inputs})
    [first] = session.run(["output"], {"input": inputs[:1]})
    error = numpy.abs(found - right).max() / numpy.abs(right).max()
    # The error function of f64 is computed in f32 there.
    limit = 1e-6 if number == numpy.float32 or path.stem in ("Mixed_f64", "One_f64", "Gelu_f64") else 1e-8
    print(f"{path.stem:20} ours in ONNX Runtime, off by {error:.1e}")
    if found.shape != right.shape or first.shape != right[:1].shape or not error <= limit:
        raise SystemExit(f"{path.stem}: expected at most {limit}, found {error}")


def main():
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
    if not paths:
        raise SystemExit(f"expected files of ONNX in {sys.argv[1]}, found none")
    for path in paths:
        check(path)


main()

"""ONNX Runtime's answers from the files of tests/export.rs against ours. Started by `run` beside it. Where ONNX Runtime has no
operators for f64, of images and sequences, the answers are those of the reference implementation of the standard.

    onnx_runtime.py FOLDER
"""

import pathlib
import sys

import numpy
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator


# What the reference can't compute either, because it has no such activation of RNN, and no statistics in f64.
NOBODY = ("Elman_f64", "GruSteps_f64")
# Of f32 alone in ONNX Runtime.
SINGLE = {"Conv", "ConvTranspose", "AveragePool", "GlobalAveragePool", "Resize", "RNN", "GRU", "LSTM"}


def session_of(path, model, number):
    """What runs the file, and its name."""
    if number == numpy.float64 and SINGLE & {node.op_type for node in model.graph.node}:
        return ReferenceEvaluator(str(path)), "the reference"
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]), "ONNX Runtime"


def check(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    if path.stem in NOBODY:
        return print(f"{path.stem:20} is a file of ONNX; no program here computes it")
    [given], [wanted] = model.graph.input, model.graph.output
    number = onnx.helper.tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type)
    sizes = [[dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in (given, wanted)]
    assert sizes[0][0] == sizes[1][0] == "samples"
    # A length that is not said is one step in the samples, and any number in the file.
    sizes = [[1 if size == "steps" else size for size in of[1:]] for of in sizes]
    inputs = numpy.fromfile(path.with_suffix(".inputs"), number).reshape(-1, *sizes[0])
    right = numpy.fromfile(path.with_suffix(".outputs"), number).reshape(len(inputs), *sizes[1])
    session, name = session_of(path, model, number)
    [found] = session.run(["output"], {"input": inputs})
    [first] = session.run(["output"], {"input": inputs[:1]})
    if given.type.tensor_type.shape.dim[1].dim_param == "steps" and wanted.type.tensor_type.shape.dim[1].dim_param == "steps":
        [longer] = session.run(["output"], {"input": numpy.concatenate([inputs, inputs, inputs], axis=1)})
        assert longer.shape == (len(inputs), 3, *sizes[1][1:])
    error = numpy.abs(found - right).max() / numpy.abs(right).max()
    # The error function of f64 is computed in f32 there.
    limit = 1e-6 if number == numpy.float32 or path.stem in ("Mixed_f64", "One_f64", "Gelu_f64") else 1e-8
    # Attributes are f32 in any case.
    limit = {"Lenet_f64": 1e-6}.get(path.stem, limit)
    print(f"{path.stem:20} ours in {name}, off by {error:.1e}")
    if found.shape != right.shape or first.shape != right[:1].shape or not error <= limit:
        raise SystemExit(f"{path.stem}: expected at most {limit}, found {error}")


def main():
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
    if not paths:
        raise SystemExit(f"expected files of ONNX in {sys.argv[1]}, found none")
    for path in paths:
        check(path)


main()

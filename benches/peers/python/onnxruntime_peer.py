"""ONNX Runtime: inference alone. The networks are written as ONNX graphs of Gemm and activations."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import common

ACTIVATIONS = {"small": "Tanh", "digits": "Relu", "mnist": "Relu"}


def session(name, batch):
    layers, nodes, weights, x = common.layers(name), [], [], "x"
    for place, (weight, bias) in enumerate(layers):
        weights += [numpy_helper.from_array(weight, f"w{place}"), numpy_helper.from_array(bias, f"b{place}")]
        nodes.append(helper.make_node("Gemm", [x, f"w{place}", f"b{place}"], [f"s{place}"], transB=1))
        x = f"s{place}"
        if place + 1 < len(layers):
            nodes.append(helper.make_node(ACTIVATIONS[name], [x], [f"y{place}"]))
            x = f"y{place}"
    if name == "digits":
        nodes.append(helper.make_node("Softmax", [x], ["y"], axis=-1))
    else:
        nodes[-1].output[0] = "y"
    sizes = common.SIZES[name]
    tensor = lambda label, size: helper.make_tensor_value_info(label, TensorProto.FLOAT, [batch, size])
    graph = helper.make_graph(nodes, name, [tensor("x", sizes[0])], [tensor("y", sizes[-1])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(workload):
    name = common.INFERENCE.get(workload, "digits")
    if workload == "W6":
        x = np.ascontiguousarray(common.inputs("digits")[:1024])
        model = session(name, len(x))
        predict = lambda: model.run(None, {"x": x})[0]
        return common.best_time(predict) / len(x), common.checksum(predict())
    model = session(name, 1)
    samples = [sample[None, :] for sample in common.inputs(name)[:64]]
    return common.one_by_one(lambda x: model.run(None, {"x": x})[0], samples)


common.peer(run)

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

    # For single samples its users bind memory once, which is half again as fast as passing dictionaries.
    model, sizes = session(name, 1), common.SIZES[name]
    x, y = np.zeros((1, sizes[0]), dtype=np.float32), np.zeros((1, sizes[-1]), dtype=np.float32)
    binding = model.io_binding()
    binding.bind_cpu_input("x", x)
    binding.bind_output("y", "cpu", 0, np.float32, y.shape, y.ctypes.data)

    def predict(sample):
        x[0] = sample
        model.run_with_iobinding(binding)
        return y

    return common.one_by_one(predict, list(common.inputs(name)[:64]), as_numpy=np.copy)


common.peer(run)

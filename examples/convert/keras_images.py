"""Layers of images in Keras, for keras_model.py. Keras has the channels last, tuplenet first, as PyTorch."""

import numpy
from keras import layers as k

from keras_layers import activation_of, as_numpy, check_settings, refuse, take

LAYERS = (
    k.Conv2D, k.DepthwiseConv2D, k.Conv2DTranspose, k.MaxPooling2D, k.AveragePooling2D, k.GlobalAveragePooling2D,
    k.UpSampling2D,
)  # fmt: skip


def image_order(sizes):
    """Where Keras has each value of a flattened image of ours."""
    channels, rows, columns = sizes
    return numpy.arange(channels * rows * columns).reshape(rows, columns, channels).transpose(2, 0, 1).ravel()


def square(layer, name):
    """A setting that is the same for rows and columns."""
    value = getattr(layer, name)
    value = value if isinstance(value, tuple) else (value, value)
    if value[0] != value[1]:
        refuse(layer, f"expected the same {name} for rows and columns, found {value}")
    return value[0]


def positions(length, kernel, stride, padding, dilation):
    return (length + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def padding_of(layer, sizes, kernel, stride, dilation):
    """How many pixels are added on each side; refuses what adds more on one side than on the other."""
    if layer.padding == "valid":
        if min(positions(size, kernel, stride, 0, dilation) for size in sizes) < 1:
            refuse(layer, f"expected images of at least {dilation * (kernel - 1) + 1} pixels, found {sizes}")
        return 0
    before = set()
    for size in sizes:
        outputs = -(-size // stride)
        padding = max((outputs - 1) * stride + dilation * (kernel - 1) + 1 - size, 0) // 2
        if positions(size, kernel, stride, padding, dilation) != outputs:
            refuse(layer, f"expected padding that is the same on both sides, found that padding='same' of a window of {kernel} "
                          f"with strides={stride} along {size} pixels has one pixel more at the end; use padding='valid', or "
                          f"{'an odd' if stride == 1 else 'another'} size of the window")  # fmt: skip
        before.add(padding)
    if len(before) > 1:
        refuse(layer, f"expected the same padding for rows and columns, found {sorted(before)}")
    return before.pop()


def layer_of(layer, sizes):
    """What is written of a layer with images of these sizes: channels, rows, columns."""
    kind = type(layer)
    check_settings(layer, data_format="channels_last")
    common = {"inputs": sizes, "tensors": {}, "back": lambda tensors: []}
    if kind is k.GlobalAveragePooling2D:
        check_settings(layer, keepdims=False)
        return {**common, "kind": "GlobalAveragePool", "outputs": sizes[:1]}
    if kind is k.UpSampling2D:
        check_settings(layer, interpolation="nearest")
        factor = square(layer, "size")
        return {**common, "kind": "Upsample", "outputs": (sizes[0], *(size * factor for size in sizes[1:])), "kernel": factor}
    if kind in (k.MaxPooling2D, k.AveragePooling2D):
        kernel, stride = square(layer, "pool_size"), square(layer, "strides")
        padding = padding_of(layer, sizes[1:], kernel, stride, 1)
        if padding and kind is k.AveragePooling2D:
            refuse(layer, "expected no padding, found padding='same', whose pixels Keras leaves out of the mean and tuplenet, as "
                          "PyTorch, counts as zeros; use padding='valid'")  # fmt: skip
        if 2 * padding > kernel:
            refuse(layer, f"expected a padding of at most half the window of {kernel}, found {padding}")
        outputs = (sizes[0], *(positions(size, kernel, stride, padding, 1) for size in sizes[1:]))
        name = "MaxPool" if kind is k.MaxPooling2D else "AveragePool"
        return {**common, "kind": name, "outputs": outputs, "kernel": kernel, "stride": stride, "padding": padding}
    kernel, stride, dilation = square(layer, "kernel_size"), square(layer, "strides"), square(layer, "dilation_rate")
    activation = activation_of(layer)
    if activation == "Softmax":
        refuse(layer, "expected an elementwise activation, found Softmax")
    common.update({"kernel": kernel, "stride": stride, "dilation": dilation, "activation": activation})
    if kind is k.Conv2DTranspose:
        return {**common, **transposed(layer, sizes, kernel, stride)}
    padding = padding_of(layer, sizes[1:], kernel, stride, dilation)
    if kind is k.DepthwiseConv2D:
        variable, depth = layer.kernel, 1
        weight = as_numpy(variable)
        inside = weight.shape
        # By input channel and multiple, which is one axis there.
        weight = weight.transpose(2, 3, 0, 1).reshape(-1, 1, kernel, kernel)
        to_keras = lambda weight: weight.reshape(*inside[2:], kernel, kernel).transpose(2, 3, 0, 1)  # noqa: E731
    else:
        # With LoRA switched on, the property has its part in it.
        variable, depth = layer.kernel, sizes[0] // layer.groups
        weight = as_numpy(variable).transpose(3, 2, 0, 1)
        to_keras = lambda weight: weight.transpose(2, 3, 1, 0)  # noqa: E731
    outputs = (weight.shape[0], *(positions(size, kernel, stride, padding, dilation) for size in sizes[1:]))
    name = "Conv2d" if depth == sizes[0] else "GroupedConv2d"
    return {**common, "kind": name, "outputs": outputs, "depth": depth, "padding": padding, **weights(layer, weight, to_keras)}


def transposed(layer, sizes, kernel, stride):
    check_settings(layer, dilation_rate=1)
    if layer.output_padding is not None:
        refuse(layer, f"expected no output_padding, found {layer.output_padding}")
    weight = as_numpy(layer.kernel).transpose(3, 2, 0, 1)
    more = max(kernel - stride, 0)
    padding = 0 if layer.padding == "valid" else more // 2
    lengths = [size * stride + (more if layer.padding == "valid" else 0) for size in sizes[1:]]
    for length, size in zip(lengths, sizes[1:]):
        if positions(length, kernel, stride, padding, 1) != size:
            refuse(layer, f"expected padding that is the same on both sides, found that padding='same' of a kernel of {kernel} with "
                          f"strides={stride} cuts off one pixel more at the end; use padding='valid', or a kernel of "
                          f"{kernel + 1}")  # fmt: skip
    return {"kind": "ConvTranspose2d", "outputs": (weight.shape[1], *lengths), "padding": padding,
            **weights(layer, weight, lambda weight: weight.transpose(2, 3, 1, 0))}  # fmt: skip


def weights(layer, weight, to_keras):
    if getattr(layer, "lora_enabled", False):
        refuse(layer, "expected a layer without LoRA, whose weights are in two places")
    channels = weight.shape[1] if type(layer) is k.Conv2DTranspose else weight.shape[0]
    bias = as_numpy(layer.bias) if layer.bias is not None else numpy.zeros(channels, weight.dtype)
    take(layer, "_kernel", "kernel", "bias")
    return {
        "tensors": {"weight": weight, "bias": bias},
        "back": lambda tensors: [(layer.kernel, to_keras(tensors["weight"]), None), (layer.bias, tensors["bias"], 0)],
    }

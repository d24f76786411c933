"""What the scripts in examples/convert write of models, and what they refuse: each was a fault, or might become one.

    converters.py FOLDER      tries every model below, with KERAS_BACKEND (jax unless told), and makes of those that were
                              written a package of Rust in FOLDER, which reads the files into the types that were printed and
                              compares the outputs; `run` beside this file installs what is needed, and runs the package
"""

import json
import os
import pathlib
import subprocess
import sys
import traceback
import warnings

os.environ.setdefault("KERAS_BACKEND", "jax")
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SCRIPTS = ROOT / "examples" / "convert"
sys.path.insert(0, str(SCRIPTS))
warnings.simplefilter("ignore")

import joblib
import keras
import numpy
from keras import layers as k
from keras import ops
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

import amplifier_model
import keras_model
import sklearn_model
import tuplenet_file
from tuplenet_file import Unknown

# Each writes, and its type is that, or is refused with a sentence that has these words in it.
WRITTEN, REFUSED = {}, {}


def written(network):
    def add(make):
        WRITTEN[make.__name__] = (make, network)
        return make

    return add


def refused(*words):
    def add(make):
        REFUSED[make.__name__] = (make, words)
        return make

    return add


def functional(call, size=4, **settings):
    x = keras.Input((size,), **settings)
    return keras.Model(x, call(x))


def sequential(*layers, size=4, **settings):
    return keras.Sequential([keras.Input((size,), **settings), *layers])


# --- Keras: what is a chain ---------------------------------------------------------------------------------------------


@written("(Dense<4, 3, Relu>, Dense<3, 2, Identity>)")
def two_layers():
    return sequential(k.Dense(3, activation="relu"), k.Dense(2))


@written("Dense<4, 2, Identity>")
def one_layer():
    return functional(k.Dense(2))


@written("(Dense<4, 4, Tanh>, Dense<4, 4, Tanh>, Dense<4, 4, Tanh>, Dense<4, 2, Identity>)")
def shared_three_times():
    shared = k.Dense(4, activation="tanh")
    return functional(lambda x: k.Dense(2)(shared(shared(shared(x)))))


@written("(Dense<4, 4, Tanh>, LayerNorm<4, f32, 1_000_000>, Dense<4, 4, Tanh>, LayerNorm<4, f32, 1_000_000>, "
         "Dense<4, 2, Identity>)")  # fmt: skip
def shared_model():
    shared = sequential(k.Dense(4, activation="tanh"), k.LayerNormalization())
    return functional(lambda x: k.Dense(2)(shared(shared(x))))


@written("(Dense<2, 6, Tanh>, Dense<6, 4, Sigmoid>)")
def decoder():
    x = keras.Input((4,))
    code = k.Dense(2)(k.Dense(6, activation="relu")(x))
    y = k.Dense(4, activation="sigmoid")(k.Dense(6, activation="tanh")(code))
    whole = keras.Model(x, y)
    return keras.Model(whole.layers[2].output, whole.outputs[0])


@written("(Dense<4, 6, Relu>, Dense<6, 2, Identity>)")
def encoder():
    x = keras.Input((4,))
    code = k.Dense(2)(k.Dense(6, activation="relu")(x))
    keras.Model(x, k.Dense(4)(code))
    return keras.Model(x, code)


@written("(Dense<4, 3, Tanh>, Dense<3, 5, Silu>, Dense<5, 2, Identity>)")
def models_in_functional():
    inside = functional(k.Dense(3, activation="tanh"))
    stack = keras.Sequential([k.Dense(5, activation="silu")])
    return functional(lambda x: k.Dense(2)(stack(inside(x))))


@written("(Dense<4, 3, Relu>, Dense<3, 5, Identity>, Tanh, Dense<5, 2, Identity>)")
def sequential_in_sequential():
    inside = keras.Sequential([k.Dense(5), keras.Sequential([k.Activation("tanh")])])
    return sequential(keras.Sequential([k.Dense(3, activation="relu")]), inside, k.Dense(2))


@written("Dense<4, 2, Tanh>")
def model_with_named_input():
    a = keras.Input((4,), name="a")
    inside = keras.Model({"a": a}, {"b": k.Dense(2, activation="tanh")(a)})
    return functional(lambda x: inside({"a": x})["b"])


@written("Dense<4, 2, Tanh>")
def named_input():
    a = keras.Input((4,), name="a")
    return keras.Model({"a": a}, {"b": k.Dense(2, activation="tanh")(a)})


@written("(Dense<4, 3, LeakyRelu<1>>, Dense<3, 3, LeakyRelu<20>>, Dense<3, 3, Elu>, Dense<3, 3, Tanh>, Dense<3, 2, Softmax>)")
def layers_as_activations():
    return sequential(
        k.Dense(3, activation=k.LeakyReLU(0.01)), k.Dense(3, activation=k.ReLU(negative_slope=0.2)), k.Dense(3, activation=k.ELU()),
        k.Dense(3, activation=k.Activation("tanh")), k.Dense(2, activation=k.Softmax()),
    )  # fmt: skip


@written("(Dense<4, 5, Identity>, Relu, LeakyRelu<30>, LeakyRelu<10>, Elu, "
         "Softplus, Softmax)")  # fmt: skip
def layers_of_activations():
    return sequential(
        k.Dense(5), k.ReLU(), k.LeakyReLU(), k.ReLU(negative_slope=0.1), k.ELU(), k.Activation("softplus"), k.Softmax()
    )


@written("((Dense<4, 4, Identity>, Dense<4, 4, LeakyRelu<20>>, Dense<4, 4, Elu>, Dense<4, 4, Selu>, Dense<4, 4, Gelu>, "
         "Dense<4, 4, Silu>, Dense<4, 4, Sigmoid>, Dense<4, 4, HardSigmoid>), (Dense<4, 4, Tanh>, Dense<4, 4, Softplus>, "
         "Dense<4, 4, Softsign>, Dense<4, 4, Relu>, Dense<4, 4, Softmax>))")  # fmt: skip
def all_activations():
    names = ["linear", "leaky_relu", "elu", "selu", "gelu", "swish", "sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign"]
    return sequential(*(k.Dense(4, activation=name) for name in [*names, "relu", "softmax"]))


@written("(Dense<4, 3, Relu>, Dense<3, 2, Softmax>)")
def functions_of_keras_ops():
    return sequential(k.Dense(3, activation=ops.relu), k.Dense(2, activation=ops.softmax))


@written("(BatchNorm<4>, Dense<4, 3, Identity>, BatchNorm<3>, BatchNorm<3>, BatchNorm<3>, Dense<3, 2, Identity>)")
def batch_normalization():
    return sequential(
        k.BatchNormalization(), k.Dense(3), k.BatchNormalization(scale=False), k.BatchNormalization(center=False, axis=1),
        k.BatchNormalization(scale=False, center=False, epsilon=0.1, renorm=True), k.Dense(2),
    )  # fmt: skip


@written("(BatchNorm<4>, Dense<4, 2, Identity>)")
def batch_normalization_of_constants():
    """Its epsilon is below ours, and so is the variance."""
    model = sequential(k.BatchNormalization(epsilon=1e-8), k.Dense(2))
    model.variance_of_its_own = numpy.array([0, 1e-7, 1e-5, 2])
    return model


@written("(LayerNorm<4, f32, 1_000_000>, Dense<4, 3, Identity>, LayerNorm<3, f32, 1>, Dense<3, 5, Identity>, LayerNorm<5>, "
         "Dense<5, 2, Identity>)")  # fmt: skip
def layer_normalization():
    return sequential(
        k.LayerNormalization(), k.Dense(3), k.LayerNormalization(epsilon=1e-9, scale=False, axis=[1]), k.Dense(5),
        k.LayerNormalization(epsilon=numpy.float32(1e-5), center=False), k.Dense(2),
    )  # fmt: skip


@written("(Dense<4, 1, Identity>, LayerNorm<1, f32, 1_000_000>, Dense<1, 2, Identity>, LayerNorm<2, f32, 1>, BatchNorm<2>, "
         "Dense<2, 2, Identity>)")  # fmt: skip
def normalization_that_rounds():
    """Where Keras itself loses digits, the outputs may be further apart."""
    return sequential(
        k.Dense(1), k.LayerNormalization(), k.Dense(2), k.LayerNormalization(epsilon=1e-9), k.BatchNormalization(), k.Dense(2)
    )


@written("(Input<Features<4>>, Dropout<0>, Dense<4, 3, Identity>, Dropout<12>, Dense<3, 2, Identity>)")
def what_trains_only():
    return sequential(
        k.Dropout(0.0), k.Dense(3, kernel_regularizer="l2", kernel_constraint="non_neg", activity_regularizer="l1"),
        k.Dropout(0.12, seed=3), k.Identity(), k.ActivityRegularization(l1=1.0), k.Dense(2, use_bias=False),
    )  # fmt: skip


@written("(Dense<6, 4, Relu>, Dense<4, 6, Sigmoid>)")
def flatten_and_reshape():
    return keras.Sequential([
        keras.Input((2, 3)), k.Flatten(), k.Flatten(), k.Dense(4, activation="relu"), k.Dense(6, activation="sigmoid"),
        k.Reshape((2, 3)),
    ])  # fmt: skip


@written("Dense<4, 2, Identity>")
def fixed_batch():
    return sequential(k.Dense(2), batch_size=5)


@written("Dense<4, 2, Identity>")
def whole_inputs():
    return sequential(k.Dense(2), dtype="uint8")


@written("(Dense<4, 8, Relu>, BatchNorm<8>, Dense<8, 2, Softmax>)")
def mixed_float16():
    kind = "mixed_float16"
    return sequential(k.Dense(8, activation="relu", dtype=kind), k.BatchNormalization(dtype=kind), k.Dense(2, "softmax", dtype=kind))


@written("(Dense<4, 8, LeakyRelu<1>>, LayerNorm<8, f32, 1_000_000>, Dense<8, 2, Identity>)")
def bfloat16():
    kind = "bfloat16"
    return keras.Sequential([
        keras.Input((4,), dtype=kind), k.Dense(8, k.LeakyReLU(0.01, dtype=kind), dtype=kind),
        k.LayerNormalization(scale=False, dtype=kind), k.Dense(2, dtype=kind),
    ])  # fmt: skip


@written("Dense<4, 2, Identity>")
def lora():
    model = sequential(k.Dense(2))
    model.layers[0].enable_lora(1)
    return model


@written("Dense<4, 2, Tanh>")
def another_training_step():
    class Model(keras.Model):
        def train_step(self, *data):
            raise NotImplementedError

    x = keras.Input((4,))
    return Model(x, k.Dense(2, "tanh")(x))


@written("(Input<Features<4>>, Dropout<50>, Dense<4, 2, Identity>)")
def called_in_prediction():
    return functional(lambda x: k.Dense(2)(k.Dropout(0.5)(x, training=False)))


# --- Keras: what is no chain --------------------------------------------------------------------------------------------


@refused("operation `add", "Add", "2 tensors")
def sum_of_tensors():
    def call(x):
        z = k.Dense(4)(x)
        return k.Dense(2)(k.Dense(4)(z) + z)

    return functional(call)


@refused("Add", "2 tensors")
def tensor_added_to_itself():
    def call(x):
        z = k.Dense(4)(x)
        return z + z

    return functional(call)


@refused("operation `softmax", "Softmax", "keras.layers.Activation")
def softmax_of_ops():
    return functional(lambda x: ops.softmax(k.Dense(2)(x)))


@refused("operation `subtract", "Subtract")
def arithmetic():
    return functional(lambda x: k.Dense(2)(x) * 10 - 1)


@refused("operation `multiply", "Multiply")
def arithmetic_on_inputs():
    return functional(lambda x: k.Dense(2)(x / 1 * 255))


@refused("operation `", "ReLU")
def function_of_keras_called():
    return functional(lambda x: k.Dense(2)(keras.activations.relu(k.Dense(3)(x))))


@refused("GetItem")
def slice_of_a_tensor():
    return functional(lambda x: k.Dense(2)(x[:, :3]))


@refused("layer `add", "2 tensors", "Residual")
def skip_connection():
    return functional(lambda x: k.Dense(2)(k.Add()([x, k.Dense(4)(x)])))


@refused("Concatenate", "2 tensors")
def concatenation():
    return functional(lambda x: k.Dense(2)(k.Concatenate()([k.Dense(3)(x), k.Dense(2)(x)])))


@refused("Add", "2 tensors")
def skip_connection_inside():
    inside = functional(lambda x: k.Add()([x, k.Dense(4)(x)]))
    return sequential(inside, k.Dense(2))


@refused("expected one input, found 2")
def two_inputs():
    a, b = keras.Input((2,)), keras.Input((2,))
    return keras.Model([a, b], k.Dense(1)(k.Concatenate()([a, b])))


@refused("expected one output, found 2")
def two_outputs():
    x = keras.Input((4,))
    z = k.Dense(3)(x)
    return keras.Model(x, [k.Dense(1)(z), k.Dense(2)(z)])


@refused("Dropout", "True")
def dropout_in_prediction():
    return functional(lambda x: k.Dense(2)(k.Dropout(0.5)(x, training=True)))


@refused("BatchNormalization", "True")
def statistics_of_the_batch():
    return functional(lambda x: k.Dense(2)(k.BatchNormalization()(x, training=True)))


@refused("True")
def model_called_in_training():
    inside = functional(k.Dense(4))
    return functional(lambda x: k.Dense(2)(inside(x, training=True)))


# --- Keras: layers and settings that there are not ----------------------------------------------------------------------


@refused("quantized to int8", "before `quantize`")
def int8():
    model = sequential(k.Dense(8, activation="relu"), k.Dense(2))
    model.quantize("int8")
    return model


@refused("quantized to float8")
def float8():
    model = sequential(k.Dense(16, activation="relu"), k.Dense(16))
    model.quantize("float8")
    return model


@refused("quantized to int4")
def int4():
    model = sequential(k.Dense(8, activation="relu"), k.Dense(2))
    model.quantize("int4")
    return model


@refused("layer `", "Dense", "of Keras itself", "__main__")
def class_with_the_same_name():
    class Dense(k.Dense):
        def call(self, x, training=None):
            return super().call(x) * 3

    return sequential(Dense(2))


@refused("of Keras itself")
def registered_class_with_the_same_name():
    @keras.saving.register_keras_serializable("mine")
    class Dropout(k.Layer):
        def call(self, x):
            return x * 2

    return sequential(k.Dense(2), Dropout())


@refused("`relu` of __main__")
def function_with_the_same_name():
    @keras.saving.register_keras_serializable("mine")
    def relu(x):
        return ops.relu(x) * 2

    return sequential(k.Dense(2, activation=relu))


@refused("<lambda>")
def lambda_as_activation():
    return sequential(k.Dense(2, activation=lambda x: x * x))


@refused("relu6")
def relu6():
    return sequential(k.Dense(2, activation="relu6"))


@refused("gelu")
def approximate_gelu():
    return sequential(k.Dense(2, activation=ops.gelu))


@refused("PReLU")
def prelu_as_activation():
    return sequential(k.Dense(2, activation=k.PReLU()))


@refused("max_value", "6")
def relu_with_a_ceiling():
    return sequential(k.Dense(2), k.ReLU(max_value=6))


@refused("threshold")
def relu_with_a_threshold():
    return sequential(k.Dense(2, activation=k.ReLU(threshold=0.5)))


@refused("per cent", "0.0004")
def negative_slope_that_would_become_zero():
    return sequential(k.Dense(2), k.LeakyReLU(0.0004))


@refused("per cent", "0.2345")
def negative_slope_between_per_cents():
    return sequential(k.Dense(2, activation=k.LeakyReLU(0.2345)))


@refused("alpha", "0.5")
def elu_with_alpha():
    return sequential(k.Dense(2), k.ELU(alpha=0.5))


@refused("rate", "0.3333")
def rate_between_per_cents():
    return sequential(k.Dense(3), k.Dropout(1 / 3), k.Dense(2))


@refused("rate", "0.0004")
def rate_that_would_become_zero():
    return sequential(k.Dense(3), k.Dropout(0.0004), k.Dense(2))


@refused("epsilon", "1e-12")
def epsilon_that_would_become_zero():
    return sequential(k.Dense(3), k.LayerNormalization(epsilon=1e-12))


@refused("epsilon", "1.5e-09")
def epsilon_between_units_of_1e_9():
    return sequential(k.Dense(3), k.LayerNormalization(epsilon=1.5e-9))


@refused("epsilon", "found 0")
def no_epsilon():
    return sequential(k.Dense(3), k.LayerNormalization(epsilon=0))


@refused("noise_shape")
def dropout_of_columns():
    return sequential(k.Dense(3), k.Dropout(0.5, noise_shape=(1, 3)), k.Dense(2))


@refused("Rescaling", "scale the samples")
def rescaling():
    return sequential(k.Rescaling(1 / 255), k.Dense(2))


@refused("Normalization", "scale the samples")
def normalization():
    return sequential(k.Normalization(mean=numpy.ones(4), variance=numpy.ones(4)), k.Dense(2))


@refused("GaussianNoise", "without it")
def noise():
    return sequential(k.GaussianNoise(0.1), k.Dense(2))


@refused("Lambda")
def lambda_layer():
    return sequential(k.Dense(2), k.Lambda(lambda x: x * 2))


@refused("UnitNormalization")
def unit_normalization():
    return sequential(k.Dense(3), k.UnitNormalization())


@refused("RMSNormalization")
def rms_normalization():
    return sequential(k.Dense(3), k.RMSNormalization())


@refused("SpectralNormalization")
def wrapper():
    return sequential(k.SpectralNormalization(k.Dense(3)))


@refused("images", "Flatten")
def dense_of_images():
    return keras.Sequential([keras.Input((5, 4, 2)), k.Dense(3)])


@refused("Embedding")
def embedding():
    return keras.Sequential([keras.Input((5,), dtype="int32"), k.Embedding(9, 2), k.Flatten(), k.Dense(3)])


@refused("channels_first")
def flatten_of_channels():
    return keras.Sequential([keras.Input((2, 3)), k.Flatten(data_format="channels_first"), k.Dense(3)])


@refused("variable `", "elsewhere")
def variables_elsewhere():
    model = functional(k.Dense(2))
    model.another = k.Dense(3)
    model.another.build((None, 4))
    return model


@refused("outputs within", "nothing was written")
def changed_at_run_time():
    """What can be seen in the outputs alone."""
    model = sequential(k.Dense(2))
    layer, before = model.layers[0], model.layers[0].call
    layer.call = lambda x, training=None: before(x) * 1.01
    return model


@refused("finite")
def weights_that_are_not_finite():
    model = sequential(k.Dense(2))
    model.weights_of_its_own = numpy.inf
    return model


@refused("at least one layer")
def nothing_to_write():
    return sequential(k.Flatten())


# --- Keras: what is no model --------------------------------------------------------------------------------------------


@refused("expected a model that is built", "keras.Input")
def unbuilt():
    return keras.Sequential([k.Dense(3), k.Dense(2)])


@refused("expected a model that is built")
def empty():
    return keras.Sequential()


@refused("expected a model that is built")
def only_an_input():
    return keras.Sequential([keras.Input((4,))])


class Subclass(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = k.Dense(2)

    def call(self, x):
        return self.dense(x)


@refused("`call` of its own", "keras.Model(inputs, outputs)")
def subclass():
    model = Subclass()
    model(numpy.ones((1, 4), "float32"))
    return model


@refused("`call` of its own")
def subclass_unbuilt():
    return Subclass()


@refused("`call` of its own")
def subclass_inside():
    return functional(Subclass())


@refused("`call` of its own")
def subclass_of_sequential():
    class Twice(keras.Sequential):
        def call(self, x, training=None, mask=None):
            return super().call(x) * 2

    return Twice([keras.Input((4,)), k.Dense(2)])


@refused("`call` of its own")
def subclass_of_functional():
    class Twice(keras.Model):
        def call(self, x, training=None, mask=None):
            return super().call(x) * 2

    x = keras.Input((4,))
    return Twice(x, k.Dense(2)(x))


@refused("expected a model of Keras 3", "Dense")
def layer_alone():
    return k.Dense(2)


@refused("expected a model of Keras 3", "NoneType")
def none():
    return None


@refused("sizes are known")
def unknown_sizes():
    return keras.Sequential([keras.Input((None, 2)), k.Identity(), k.Reshape((4,)), k.Dense(3)])


# --- Keras: images ------------------------------------------------------------------------------------------------------


def image(*layers, size=(8, 8, 2), **settings):
    return keras.Sequential([keras.Input(size, **settings), *layers])


@written("(Conv2d<Image<1, 14, 14>, Image<3, 10, 10>, 5, Relu>, MaxPool<Image<3, 10, 10>, Image<3, 5, 5>, 2>, "
         "Conv2d<Image<3, 5, 5>, Image<4, 3, 3>, 3, Relu>, Flatten<Image<4, 3, 3>, 36>, Dense<36, 8, Relu>, Dense<8, 3, Softmax>)")  # fmt: skip
def lenet():
    return image(
        k.Conv2D(3, 5, activation="relu"), k.MaxPooling2D(2), k.Conv2D(4, 3, activation="relu"), k.Flatten(),
        k.Dense(8, activation="relu"), k.Dense(3, activation="softmax"), size=(14, 14, 1),
    )  # fmt: skip


@written("(Conv2d<Image<2, 9, 7>, Image<3, 9, 7>, 3, Tanh, 1, 1>, Conv2d<Image<3, 9, 7>, Image<2, 5, 4>, 3, Identity, 2, 1>, "
         "Conv2d<Image<2, 5, 4>, Image<4, 5, 4>, 3, Elu, 1, 2, 2>, GlobalAveragePool<Image<4, 5, 4>>)")  # fmt: skip
def same_padding():
    return image(
        k.Conv2D(3, 3, padding="same", activation="tanh"), k.Conv2D(2, 3, strides=2, padding="same", use_bias=False),
        k.Conv2D(4, 3, dilation_rate=2, padding="same", activation="elu"), k.GlobalAveragePooling2D(), size=(9, 7, 2),
    )  # fmt: skip


@written("(GroupedConv2d<Image<4, 6, 6>, Image<6, 4, 4>, 3, 2, LeakyRelu<20>>, BatchNorm<6>, Relu, Dropout<20>, "
         "GroupedConv2d<Image<6, 4, 4>, Image<12, 2, 2>, 3, 1, Silu>, Conv2d<Image<12, 2, 2>, Image<3, 2, 2>, 1, Identity>)")  # fmt: skip
def groups_and_depthwise():
    return image(
        k.Conv2D(6, 3, groups=2, activation="leaky_relu"), k.BatchNormalization(), k.ReLU(), k.SpatialDropout2D(0.2),
        k.DepthwiseConv2D(3, depth_multiplier=2, activation="silu"), k.Conv2D(3, 1), size=(6, 6, 4),
    )  # fmt: skip


@written("(Input<Image<2, 8, 8>>, BatchNorm<2>, AveragePool<Image<2, 8, 8>, Image<2, 3, 3>, 3, 2>, "
         "MaxPool<Image<2, 3, 3>, Image<2, 3, 3>, 3, 1, 1>, Flatten<Image<2, 3, 3>, 18>, BatchNorm<18>, "
         "LayerNorm<18, f32, 1_000_000>, Dense<18, 2, Identity>)")  # fmt: skip
def pools_and_norms():
    return image(
        k.BatchNormalization(axis=3), k.AveragePooling2D(3, 2), k.MaxPooling2D(3, 1, padding="same"), k.Flatten(),
        k.BatchNormalization(), k.LayerNormalization(), k.Dense(2),
    )  # fmt: skip


@written("(Dense<3, 16, Relu>, BatchNorm<16>, Unflatten<16, Image<4, 2, 2>>, "
         "ConvTranspose2d<Image<4, 2, 2>, Image<3, 4, 4>, 4, Elu, 2, 1>, Upsample<Image<3, 4, 4>, Image<3, 8, 8>, 2>, "
         "ConvTranspose2d<Image<3, 8, 8>, Image<2, 10, 10>, 3, Sigmoid>)")  # fmt: skip
def image_decoder():
    return sequential(
        k.Dense(16, activation="relu"), k.BatchNormalization(), k.Reshape((2, 2, 4)),
        k.Conv2DTranspose(3, 4, strides=2, padding="same", activation="elu"), k.UpSampling2D(),
        k.Conv2DTranspose(2, 3, activation="sigmoid"), size=3,
    )  # fmt: skip


@written("(Conv2d<Image<1, 4, 4>, Image<2, 3, 3>, 2, Relu>, Flatten<Image<2, 3, 3>, 18>, Unflatten<18, Image<2, 3, 3>>, "
         "ConvTranspose2d<Image<2, 3, 3>, Image<1, 6, 6>, 2, Identity, 2>)")  # fmt: skip
def flat_and_back():
    return sequential(
        k.Reshape((4, 4, 1)), k.Conv2D(2, 2, activation="relu"), k.Flatten(), k.Reshape((3, 3, 2)),
        k.Conv2DTranspose(1, 2, strides=2), size=16,
    )  # fmt: skip


@written("(Conv2d<Image<2, 8, 8>, Image<3, 7, 7>, 2, Relu, 1, 0, 1, f64>, MaxPool<Image<3, 7, 7>, Image<3, 3, 3>, 2, 2, 0, f64>, "
         "GlobalAveragePool<Image<3, 3, 3>, f64>, Dense<3, 2, Identity, f64>)")  # fmt: skip
def image_f64():
    kind = {"dtype": "float64"}
    return image(
        k.Conv2D(3, 2, activation="relu", **kind), k.MaxPooling2D(2, **kind), k.GlobalAveragePooling2D(**kind), k.Dense(2, **kind), **kind
    )


@refused("same on both sides", "padding='valid'", "an odd size")
def asymmetric_padding():
    return image(k.Conv2D(3, 2, padding="same"))


@refused("same on both sides", "strides=2")
def asymmetric_stride():
    return image(k.Conv2D(3, 3, strides=2, padding="same"))


@refused("same on both sides", "a kernel of 4")
def asymmetric_transposed():
    return image(k.Conv2DTranspose(3, 3, strides=2, padding="same"))


@refused("output_padding")
def output_padding():
    return image(k.Conv2DTranspose(3, 3, strides=2, output_padding=0))


@refused("AveragePooling2D", "leaves out of the mean")
def mean_without_padding():
    return image(k.AveragePooling2D(3, 1, padding="same"))


@refused("kernel_size", "(3, 2)")
def oblong_kernel():
    return image(k.Conv2D(3, (3, 2)))


@refused("strides", "(1, 2)")
def oblong_stride():
    return image(k.Conv2D(3, 3, strides=(1, 2)))


@refused("channels_last", "channels_first")
def channels_first():
    return image(k.MaxPooling2D(2, data_format="channels_first"))


@refused("interpolation", "bilinear")
def bilinear():
    return image(k.UpSampling2D(2, interpolation="bilinear"))


@refused("Dense after Flatten")
def flatten_last():
    return image(k.Conv2D(3, 3), k.Flatten())


@refused("Dense before the Reshape", "Activate")
def reshape_of_probabilities():
    return sequential(k.Dense(16), k.Softmax(), k.Reshape((2, 2, 4)), k.Conv2D(1, 1))


@refused("elementwise", "Softmax")
def softmax_of_pixels():
    return image(k.Conv2D(3, 3, activation="softmax"))


@refused("GlobalMaxPooling2D")
def largest_pixel():
    return image(k.GlobalMaxPooling2D())


@refused("SeparableConv2D")
def separable():
    return image(k.SeparableConv2D(3, 3))


@refused("an image or features")
def reshape_of_an_image():
    return image(k.Conv2D(4, 3), k.Reshape((4, 9, 4)), k.Conv2D(1, 1))


# --- Keras: sequences ---------------------------------------------------------------------------------------------------


def sequence(*layers, steps=5, size=3, **settings):
    return keras.Sequential([keras.Input((steps, size), **settings), *layers])


@written("(Input<Sequence<5, 3>>, Steps<Dense<3, 4, Relu>>, Steps<Softmax>)")
def dense_of_sequences():
    return sequence(k.Dense(4, activation="relu"), k.Softmax())


@written("(Input<Sequence<5, 3>>, Gru<3, 4>, Last, Dense<4, 2, Softmax>)")
def gru():
    return sequence(k.GRU(4), k.Dense(2, activation="softmax"))


@written("(Input<Sequence<5, 3>>, Gru<3, 4, Before>, Dropout<10>, Steps<Dense<4, 2, Identity>>)")
def gru_of_the_paper():
    return sequence(k.GRU(4, reset_after=False, return_sequences=True), k.Dropout(0.1), k.TimeDistributed(k.Dense(2)))


@written("(Lstm<3, 4>, Lstm<4, 2>, Last, Dense<2, 1, Identity>)")
def lstm_of_any_length():
    return sequence(k.LSTM(4, return_sequences=True, dropout=0.1), k.LSTM(2), k.Dense(1), steps=None)


@written("(Input<Sequence<5, 3>>, Rnn<3, 4, Tanh>, Rnn<4, 2, Relu>, Rnn<2, 2, Identity>, MeanOverTime)")
def simple_rnn():
    return sequence(
        k.SimpleRNN(4, return_sequences=True), k.SimpleRNN(2, activation="relu", return_sequences=True),
        k.SimpleRNN(2, activation=None, use_bias=False, return_sequences=True), k.GlobalAveragePooling1D(),
    )  # fmt: skip


@written("(Input<Sequence<5, 3>>, Bidirectional<Gru<3, 2>, 4>, Steps<BatchNorm<4>>, Bidirectional<Lstm<4, 3>, 6>, "
         "Steps<LayerNorm<6, f32, 1_000_000>>, MaxOverTime, Dense<6, 2, Identity>)")  # fmt: skip
def both_directions():
    return sequence(
        k.Bidirectional(k.GRU(2, return_sequences=True)), k.BatchNormalization(), k.Bidirectional(k.LSTM(3, return_sequences=True)),
        k.LayerNormalization(), k.GlobalMaxPooling1D(), k.Dense(2),
    )  # fmt: skip


@written("(Input<Sequence<7, 2>>, Conv1d<2, 4, 3, 2, Relu>, Conv1d<4, 3, 2, 4, Tanh>, Conv1d<3, 2, 1, 0, Identity>, MaxOverTime)")
def causal_convolutions():
    return sequence(
        k.Conv1D(4, 3, padding="causal", activation="relu"), k.Conv1D(3, 2, padding="causal", dilation_rate=4, activation="tanh"),
        k.Conv1D(2, 1), k.GlobalMaxPooling1D(), steps=7, size=2,
    )  # fmt: skip


@written("(Input<Sequence<5, 3>, f64>, Gru<3, 2, After, f64>, Bidirectional<Rnn<2, 2, Tanh, f64>, 4>, Conv1d<4, 2, 2, 1, Identity, f64>, "
         "Steps<Dense<2, 1, Identity, f64>>)")  # fmt: skip
def sequence_f64():
    kind = {"dtype": "float64"}
    return sequence(
        k.GRU(2, return_sequences=True, **kind), k.Bidirectional(k.SimpleRNN(2, return_sequences=True, **kind), **kind),
        k.Conv1D(2, 2, padding="causal", **kind), k.Dense(1, **kind), **kind,
    )  # fmt: skip


@refused("recurrent_activation='sigmoid'", "hard_sigmoid")
def hard_gates():
    return sequence(k.LSTM(4, recurrent_activation="hard_sigmoid"))


@refused("activation='tanh'", "relu")
def lstm_with_relu():
    return sequence(k.LSTM(4, activation="relu"))


@refused("among", "Gelu")
def rnn_with_gelu():
    return sequence(k.SimpleRNN(4, activation="gelu"))


@refused("go_backwards")
def backwards():
    return sequence(k.GRU(4, go_backwards=True))


@refused("stateful")
def stateful():
    return sequence(k.GRU(4, stateful=True), batch_size=2)


@refused("return_state")
def states():
    x = keras.Input((5, 3))
    return keras.Model(x, k.GRU(4, return_state=True)(x)[0])


@refused("return_sequences=True", "GlobalAveragePooling1D")
def last_of_both():
    return sequence(k.Bidirectional(k.LSTM(4)))


@refused("merge_mode='concat'", "sum")
def sum_of_both():
    return sequence(k.Bidirectional(k.LSTM(4, return_sequences=True), merge_mode="sum"))


@refused("same settings in both directions")
def different_directions():
    other = k.GRU(4, return_sequences=True, go_backwards=True, reset_after=False)
    return sequence(k.Bidirectional(k.GRU(4, return_sequences=True), backward_layer=other))


@refused("padding='causal'", "valid")
def convolution_of_the_future():
    return sequence(k.Conv1D(2, 3))


@refused("strides=1")
def convolution_with_stride():
    return sequence(k.Conv1D(2, 3, padding="causal", strides=2))


@refused("found the shape", "(None, 4, 6, 6, 1)")
def images_in_time():
    return keras.Sequential([keras.Input((4, 6, 6, 1)), k.TimeDistributed(k.Conv2D(2, 3))])


@refused("mixes its steps", "return_sequences=False")
def flatten_of_a_sequence():
    return sequence(k.GRU(4, return_sequences=True), k.Flatten(), k.Dense(2))


@refused("chain of layers", "2 tensors")
def masking():
    return sequence(k.Masking(), k.GRU(4))


@refused("expected sequences, found images")
def gru_of_an_image():
    return keras.Sequential([keras.Input((4, 4, 1)), k.Conv2D(2, 3), k.TimeDistributed(k.Dense(2))])


@refused("no sequence")
def sequence_of_features():
    return sequential(k.Dense(6), k.Reshape((3, 2)), k.GRU(2))


# --- scikit-learn -------------------------------------------------------------------------------------------------------


def fitted(kind, targets, *scalers, number=numpy.float64, data=(0.0, 1.0), **settings):
    random = numpy.random.default_rng(7)
    inputs = (data[0] + data[1] * random.normal(size=(60, 4))).astype(number)
    classes = random.integers(2, size=(60, 3))
    targets = {
        "two": classes[:, 0], "three": classes.sum(axis=1) % 3, "labels": classes, "one": numpy.zeros(60, int),
        "compile_errors": numpy.array(["no", "yes"])[classes[:, 0]], "value": random.normal(size=60), "values": random.normal(size=(60, 2)),
        "counts": random.integers(5, size=60),
    }[targets]  # fmt: skip
    if kind is MLPRegressor:
        targets = targets.astype(number)
    network = kind(hidden_layer_sizes=(5,), max_iter=5, random_state=3, **settings)
    return (make_pipeline(*scalers, network) if scalers else network).fit(inputs, targets)


@written("(Dense<4, 5, Relu, f64>, Dense<5, 1, Sigmoid, f64>)")
def sklearn_two_classes():
    return fitted(MLPClassifier, "two")


@written("(Dense<4, 5, Relu, f64>, Dense<5, 1, Sigmoid, f64>)")
def sklearn_classes_with_names():
    return fitted(MLPClassifier, "compile_errors")


@written("(Dense<4, 5, Tanh>, Dense<5, 3, Softmax>)")
def sklearn_three_classes():
    return fitted(MLPClassifier, "three", number=numpy.float32, activation="tanh")


@written("(Dense<4, 5, Sigmoid, f64>, Dense<5, 3, Sigmoid, f64>)")
def sklearn_labels():
    return fitted(MLPClassifier, "labels", activation="logistic")


@written("(Dense<4, 5, Identity>, Dense<5, 1, Identity>)")
def sklearn_value():
    return fitted(MLPRegressor, "value", number=numpy.float32, activation="identity")


@written("(Dense<4, 5, Relu, f64>, Dense<5, 2, Identity, f64>)")
def sklearn_values():
    return fitted(MLPRegressor, "values", solver="lbfgs")


@written("(Dense<4, 5, Relu, f64>, Dense<5, 1, Sigmoid, f64>)")
def sklearn_standardized():
    return fitted(MLPClassifier, "two", StandardScaler(), data=(1e6, 30.0))


@written("(Dense<4, 5, Relu>, Dense<5, 3, Softmax>)")
def sklearn_standardized_f32():
    return fitted(MLPClassifier, "three", StandardScaler(), number=numpy.float32, data=(20.0, 5.0))


@written("(Dense<4, 5, Relu, f64>, Dense<5, 1, Identity, f64>)")
def sklearn_all_scalers():
    scalers = [MinMaxScaler((-3, 5)), RobustScaler(), MaxAbsScaler(), StandardScaler(with_mean=False), RobustScaler(with_scaling=False)]
    return fitted(MLPRegressor, "value", *scalers, "passthrough", data=(-70.0, 4.0))


@refused("clip")
def sklearn_clipped():
    return fitted(MLPClassifier, "two", MinMaxScaler(clip=True))


@refused("PCA", "last step")
def sklearn_components():
    return fitted(MLPClassifier, "two", PCA(4))


@refused("StandardScaler", "expected StandardScaler")
def sklearn_scaler_with_the_same_name():
    class StandardScalerOfMine(StandardScaler):
        def transform(self, X, copy=None):
            return super().transform(X) * 2

    return fitted(MLPClassifier, "two", StandardScalerOfMine())


@refused("outputs within", "nothing was written")
def sklearn_scaling_beyond_f32():
    """Seconds since 1970: in the first layer, the digits of f32 are gone."""
    return fitted(MLPClassifier, "three", StandardScaler(), number=numpy.float32, data=(1.7e9, 1000.0))


@refused("fitted MLPClassifier", "call `fit`")
def sklearn_unfitted():
    return MLPClassifier()


@refused("fitted MLPRegressor", "call `fit`")
def sklearn_unfitted_pipeline():
    return make_pipeline(StandardScaler(), MLPRegressor())


@refused("of scikit-learn itself", "Twice")
def sklearn_subclass():
    class Twice(MLPRegressor):
        def predict(self, X):
            return 2 * super().predict(X)

    return Twice(max_iter=3).fit(numpy.ones((9, 4)), numpy.arange(9.0))


@refused("exp")
def sklearn_poisson():
    return fitted(MLPRegressor, "counts", loss="poisson")


@refused("two classes")
def sklearn_one_class():
    return fitted(MLPClassifier, "one")


@refused("best_estimator_", "GridSearchCV")
def sklearn_search():
    search = GridSearchCV(MLPRegressor(max_iter=2), {"alpha": [0.1]}, cv=2)
    return search.fit(numpy.ones((9, 4)), numpy.arange(9.0))


@refused("found PCA")
def sklearn_something_else():
    return PCA()


@refused("outputs within", "nothing was written")
def sklearn_changed_at_run_time():
    model = fitted(MLPRegressor, "value")
    before = model.predict
    model.predict = lambda X: before(X) + 1e-6
    return model


@refused("finite")
def sklearn_not_finite():
    model = fitted(MLPRegressor, "value")
    model.coefs_[0][0, 0] = numpy.nan
    return model


# --- Amplifiers: RTNeural and Neural Amp Modeler --------------------------------------------------------------------------


class Json(dict):
    """A model of RTNeural, with that of Keras from which it was made."""


def rtneural(*layers):
    """The JSON that RTNeural's python/model_utils.py writes of a model."""
    model = sequence(*layers, steps=amplifier_model.STEPS, size=1)
    stir(model, 1)
    names = {k.GRU: "gru", k.LSTM: "lstm", k.Dense: "dense", k.TimeDistributed: "time-distributed-dense", k.Conv1D: "conv1d",
             k.Activation: "activation"}  # fmt: skip
    entries = []
    for layer in model.layers:
        function = getattr(layer, "activation", None) or layer.layer.activation
        entry = {"type": names[type(layer)], "activation": "" if function is keras.activations.linear else function.__name__,
                 "shape": [None, None, layer.output.shape[-1]]}  # fmt: skip
        if type(layer) is k.Conv1D:
            entry.update(kernel_size=list(layer.kernel_size), dilation=list(layer.dilation_rate))
        entries.append({**entry, "weights": [array.tolist() for array in layer.get_weights()]})
    found = Json(in_shape=[None, None, 1], layers=entries)
    found.keras = model
    return found


def nam(layers=1, units=3, state=0.5):
    """A `.nam` file as nam/models/recurrent.py writes it: of each cell the matrix, the bias and the state; and the head."""
    random, weights = numpy.random.default_rng(5), []
    for layer in range(layers):
        size = units if layer else 1
        weights += [*random.normal(size=4 * units * (size + units)), *random.normal(size=4 * units), *state * random.normal(size=2 * units)]
    weights += [*random.normal(size=units), 0.25]
    config = {"input_size": 1, "hidden_size": units, "num_layers": layers}
    return {"version": "0.5.4", "architecture": "LSTM", "config": config, "weights": weights, "sample_rate": 48000}


@written("(Lstm<1, 4>, Steps<Dense<4, 1, Identity>>)")
def amp_lstm():
    return rtneural(k.LSTM(4, return_sequences=True), k.Dense(1))


@written("(Gru<1, 3>, Gru<3, 2>, Steps<Dense<2, 3, Relu>>, Elu, Steps<Dense<3, 1, Tanh>>)")
def amp_gru():
    return rtneural(
        k.GRU(3, return_sequences=True), k.GRU(2, return_sequences=True), k.TimeDistributed(k.Dense(3, activation="relu")),
        k.Activation("elu"), k.Dense(1, activation="tanh"),
    )  # fmt: skip


@written("(Conv1d<1, 3, 3, 8, Tanh>, Lstm<3, 2>, Steps<Dense<2, 2, Softmax>>)")
def amp_convolution():
    return rtneural(
        k.Conv1D(3, 3, dilation_rate=4, padding="causal", activation="tanh"), k.LSTM(2, return_sequences=True),
        k.Dense(2, activation="softmax"),
    )  # fmt: skip


@written("(Lstm<1, 3>, Steps<Dense<3, 1, Identity>>)")
def amp_nam():
    return nam()


@written("(Lstm<1, 5>, Lstm<5, 5>, Steps<Dense<5, 1, Identity>>)")
def amp_nam_of_two_layers():
    return nam(2, 5, 0.0)


def amp_with(change, model=None):
    model = model or amp_lstm()
    change(model)
    return model


@refused("architecture LSTM", "WaveNet")
def amp_wavenet():
    return amp_with(lambda model: model.update(architecture="WaveNet"), nam())


@refused("expected 70 values", "found 69")
def amp_nam_cut():
    return amp_with(lambda model: model["weights"].pop(), nam())


@refused("whole number as `hidden_size`", "3.5")
def amp_nam_size():
    return amp_with(lambda model: model["config"].update(hidden_size=3.5), nam())


@refused("finite")
def amp_nam_not_finite():
    return amp_with(lambda model: model["weights"].__setitem__(3, float("nan")), nam())


@refused("expected values in lists")
def amp_nam_words():
    return amp_with(lambda model: model["weights"].__setitem__(3, "loud"), nam())


@refused("`num_layers`", "found none")
def amp_nam_without_layers():
    return amp_with(lambda model: model["config"].pop("num_layers"), nam())


@refused("layer 1, dense, weights 0", "expected the sizes (4, 1)", "(3, 1)")
def amp_sizes():
    return amp_with(lambda model: model["layers"][1]["weights"][0].pop())


@refused("layer 1, dense", "2 arrays", "found 1")
def amp_without_bias():
    return amp_with(lambda model: model["layers"][1]["weights"].pop())


@refused("layer 0, prelu", "expected a layer among")
def amp_prelu():
    return amp_with(lambda model: model["layers"][0].update(type="prelu"))


@refused("layer 1, dense", "activation among", "gelu")
def amp_activation():
    return amp_with(lambda model: model["layers"][1].update(activation="gelu"))


@refused("number of features", "None")
def amp_shape():
    return amp_with(lambda model: model.update(in_shape=[None, None, None]))


@refused("at least one layer")
def amp_empty():
    return amp_with(lambda model: model.update(layers=[]))


@refused("found neither")
def amp_something_else():
    return {"weights": [1.0]}


@refused("found neither")
def amp_list():
    return [1, 2]


# --- What is done with them ---------------------------------------------------------------------------------------------


def script_of(name):
    return amplifier_model if name.startswith("amp") else sklearn_model if name.startswith("sklearn") else keras_model


def stir(model, seed):
    """Gives all variables of a model other values, those of running statistics too."""
    random = numpy.random.default_rng(seed)
    for variable in getattr(model, "weights", []):
        values = random.normal(size=variable.shape)
        if any(word in variable.name for word in ("variance", "stddev")):
            values = random.uniform(0.2, 5, size=variable.shape)
            values = getattr(model, "variance_of_its_own", values)
        elif len(variable.shape) > 1:
            values /= numpy.sqrt(numpy.prod(variable.shape[:-1]))
        variable.assign(values * getattr(model, "weights_of_its_own", 1))


def samples_for(name, model):
    *_, samples = script_of(name).samples_of(model)
    return samples[:8]


def outputs_for(name, model, samples):
    if isinstance(model, Json):
        # Those of the model itself.
        return keras_model.outputs_of(model.keras, samples)
    if script_of(name) is not keras_model:
        return script_of(name).outputs_of(model, samples)
    with keras_model.In32Bits(model):
        return keras_model.outputs_of(model, samples)


def check_written(name, folder, seed=1):
    make, expected = WRITTEN[name]
    model, path = make(), folder / f"{name}.safetensors"
    script = script_of(name)
    if script is keras_model:
        stir(model, seed)
    found = script.write(model, path)
    assert found == expected, f"expected {expected}, found {found}"
    samples = samples_for(name, model)
    outputs = outputs_for(name, model, samples)
    # Back again, into a model with other weights.
    if name not in ("lora", "mixed_float16", "bfloat16") and script is not amplifier_model:
        if script is keras_model:
            stir(model, seed + 1)
        else:
            network = sklearn_model.network_of(model)
            network.coefs_ = [weight * 3 for weight in network.coefs_]
        assert not numpy.allclose(outputs, outputs_for(name, model, samples), rtol=1e-3), "the outputs have not changed"
        script.read(model, path)
        again = outputs_for(name, model, samples)
        assert numpy.allclose(outputs, again, rtol=1e-4, atol=1e-5), f"expected {outputs}, found {again}"
    return found, samples, outputs


def check_refused(name, folder):
    make, words = REFUSED[name]
    path = folder / f"{name}.safetensors"
    model = make()
    if script_of(name) is keras_model and getattr(model, "built", False) and not name.startswith(("int", "float8")):
        stir(model, 1)
    path.write_bytes(b"what was there")
    try:
        found = script_of(name).write(model, path)
    except Unknown as unknown:
        sentence = str(unknown)
    else:
        raise AssertionError(f"expected that it is refused, found {found}")
    for word in words:
        assert word in sentence, f"expected `{word}` in: {sentence}"
    assert path.read_bytes() == b"what was there", "the file that was there is another"
    path.unlink()
    return sentence


def command(script, *arguments):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    arguments = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
    return subprocess.run(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check_commands(folder):
    """What a user sees: the type, or a sentence and no traceback."""
    out = folder / "command.safetensors"
    models = {
        "good.keras": decoder(), "sum.keras": sum_of_tensors(), "mine.keras": registered_class_with_the_same_name(),
        "good.joblib": sklearn_standardized(), "unfitted.joblib": MLPClassifier(),
    }  # fmt: skip
    (folder / "good.nam").write_text(json.dumps(nam()))
    (folder / "good.json").write_text(json.dumps(amp_lstm()))
    (folder / "wavenet.nam").write_text(json.dumps(amp_wavenet()))
    (folder / "damaged.json").write_text('{"in_shape": [')
    (folder / "damaged.nam").write_bytes(b"\xff\xfe no text")
    for name, model in models.items():
        (joblib.dump if name.endswith("joblib") else keras.saving.save_model)(model, folder / name)
    (folder / "damaged.keras").write_bytes(b"no model")
    (folder / "damaged.joblib").write_bytes(b"no model")
    for script, model, code, words in [
        ("keras_model.py", "good.keras", 0, "type Net = (Dense<2, 6, Tanh>, Dense<6, 4, Sigmoid>);"),
        ("keras_model.py", "sum.keras", 1, "operation `add"),
        ("keras_model.py", "mine.keras", 1, "Keras can't load it"),
        ("keras_model.py", "damaged.keras", 1, "Keras can't load it"),
        ("keras_model.py", "missing.keras", 1, "Keras can't load it"),
        ("amplifier_model.py", "good.json", 0, "type Net = (Lstm<1, 4>, Steps<Dense<4, 1, Identity>>);"),
        ("amplifier_model.py", "good.nam", 0, "state.0 = [["),
        ("amplifier_model.py", "wavenet.nam", 1, "architecture LSTM"),
        ("amplifier_model.py", "damaged.json", 1, "JSON can't load it"),
        ("amplifier_model.py", "damaged.nam", 1, "JSON can't load it"),
        ("amplifier_model.py", "missing.nam", 1, "JSON can't load it"),
        ("sklearn_model.py", "good.joblib", 0, "type Net = (Dense<4, 5, Relu, f64>, Dense<5, 1, Sigmoid, f64>);"),
        ("sklearn_model.py", "unfitted.joblib", 1, "call `fit`"),
        ("sklearn_model.py", "damaged.joblib", 1, "joblib can't load it"),
        ("sklearn_model.py", "missing.joblib", 1, "joblib can't load it"),
    ]:
        out.unlink(missing_ok=True)
        found = command(script, folder / model, out)
        shown = found.stdout + found.stderr
        assert found.returncode == code and words in shown, f"{script} {model}: expected {code} and `{words}`, found {shown}"
        assert "Traceback" not in shown and out.exists() == (code == 0), f"{script} {model}: {shown}"
    found = command("sklearn_model.py", folder / "good.joblib", folder / "no such folder" / "out")
    assert found.returncode == 1 and "No such file" in found.stderr and "Traceback" not in found.stderr, found.stderr


def check_reading(folder):
    """A file that does not fit changes nothing."""
    path = folder / "reading.safetensors"
    model = shared_three_times()
    keras_model.write(model, path)
    tensors = tuplenet_file.load_file(path)
    before = [variable.numpy() for variable in model.weights]
    other = tuplenet_file.save({**tensors, "2.weight": tensors["2.weight"] + 1})
    missing = tuplenet_file.save({name: array for name, array in tensors.items() if name != "6.bias"})
    for content, words in (other, "same values each time"), (missing, "6.bias"):
        path.write_bytes(content)
        try:
            keras_model.read(model, path)
        except Unknown as unknown:
            assert words in str(unknown), unknown
        else:
            raise AssertionError(f"expected `{words}`")
        for values, variable in zip(before, model.weights):
            assert (values == variable.numpy()).all(), "a variable has changed"


def rust(name, found, samples, outputs):
    """A line of Rust that reads a file as the type that was printed."""
    width = samples.shape[1]
    samples, outputs = (array.astype(numpy.float64).reshape(len(array), -1).tolist() for array in (samples, outputs))
    samples, outputs = (f"[{', '.join(f'&{row}' for row in rows)}]" for rows in (samples, outputs))
    network = f'load::<{found}>("{name}")'
    if found.startswith(("(Lstm", "(Gru", "(Conv1d")):
        # Of any number of steps: those of the samples.
        network = f"(<Input<Sequence<{width // int(found[found.index('<') + 1])}, {found[found.index('<') + 1]}>> as Zeroed>::ZEROED, {network})"
    return f"""    check("{name}", {network}, &{samples}, &{outputs});\n"""


PROGRAM = """// Written by tests/io/converters.py.
use tuplenet::data::Inputs;
use tuplenet::io::safetensors;
use tuplenet::layers::*;
use tuplenet::model::{InputShape, Out, Shape, Trainable, Zeroed};
use tuplenet::prelude::*;

type Scalar<N> = <N as InputShape>::Scalar;
type Sample<N> = <<N as InputShape>::In as Shape>::Sample<Scalar<N>>;

fn load<N: Trainable>(name: &str) -> N {
    safetensors::load(format!("{}/{name}.safetensors", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn check<N: Network + Trainable>(name: &str, network: N, inputs: &[&[f64]], outputs: &[&[f64]])
where
    [Sample<N>]: Inputs<Scalar<N>, N::In>,
{
    let largest = outputs.iter().flat_map(|output| output.iter()).fold(0.0, |largest: f64, output| largest.max(output.abs()));
    let sample = |input: &&[f64]| {
        let mut batch = <<N::In as Shape>::Batch<Scalar<N>, 1> as Zeroed>::ZEROED;
        for (value, x) in N::In::as_mut_slice(&mut batch).iter_mut().zip(input.iter()) {
            *value = Scalar::<N>::of(*x);
        }
        N::In::get(&batch, 0)
    };
    let samples: Vec<_> = inputs.iter().map(sample).collect();
    let mut found = vec![Zeroed::ZEROED; samples.len()];
    network.predict_all(&samples[..], &mut found).unwrap();
    for (found, output) in found.iter().zip(outputs) {
        let found = <Out<N> as Shape>::elements(found);
        assert_eq!(found.len(), output.len());
        for (found, output) in found.iter().zip(output.iter()) {
            let error = (found.exact() - output).abs() / largest;
            assert!(error <= 1e-5, "{name}: {found} for {output}");
        }
    }
}

fn main() {
"""


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    folder = pathlib.Path(sys.argv[1]).resolve()
    (folder / "src").mkdir(parents=True, exist_ok=True)
    lines, passed, failed = [], 0, 0

    def attempt(name, check):
        nonlocal passed, failed
        try:
            result = check()
        except Exception:
            failed += 1
            print(f"{name}: FAILED")
            traceback.print_exc()
            return None
        passed += 1
        return result

    for name in WRITTEN:
        result = attempt(name, lambda: check_written(name, folder))
        if result is not None:
            lines.append(rust(name, *result))
            print(f"{name}: {result[0]}")
    for name in REFUSED:
        sentence = attempt(name, lambda: check_refused(name, folder))
        if sentence is not None:
            print(f"{name}: {sentence}")
    attempt("commands", lambda: check_commands(folder))
    attempt("reading", lambda: check_reading(folder))
    lines.append(f'    println!("{len(lines)} networks are as their models");\n}}\n')
    (folder / "src" / "main.rs").write_text(PROGRAM + "".join(lines))
    (folder / "Cargo.toml").write_text(f"""[package]
name = "converted"
version = "0.0.0"
edition = "2024"

[dependencies]
tuplenet = {{ path = "{ROOT}", features = ["safetensors"] }}

[workspace]
""")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()

"""Models of PyTorch, Keras and scikit-learn with their files and outputs, and the way back. Started by `run` beside it.

    peers.py make FOLDER SEED     writes for each model NAME.safetensors, and into cases.json inputs and outputs; the types
                                  into types.rs; with --own-files also the files of Keras and scikit-learn
    peers.py check FOLDER         loads what the Rust tests have written to FOLDER/ours into the same models, and compares
"""

import json
import os
import pathlib
import sys
import warnings

os.environ["KERAS_BACKEND"] = "torch"
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "examples" / "convert"))

import joblib
import keras
import numpy
import torch
from keras import layers as k
from safetensors.torch import load_file, save_file
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import nn

import keras_model
import sklearn_model

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
warnings.filterwarnings("ignore", module="sklearn")

SAMPLES = 6


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 12)
        self.fc2 = nn.Linear(12, 2)

    def forward(self, x):
        return torch.tanh(self.fc2(torch.relu(self.fc1(x))))


class Agent(nn.Module):
    """What is loaded is a part of it."""

    def __init__(self):
        super().__init__()
        self.actor = Actor()
        self.critic = nn.Linear(4, 1)

    def forward(self, x):
        return self.actor(x)


def long():
    layers = [nn.Linear(5, 7), nn.ELU()]
    for _ in range(9):
        layers += [nn.Linear(7, 7), nn.ELU()]
    return nn.Sequential(*layers, nn.Linear(7, 2))


# The networks of the Rust tests: the name, and what makes the model. `double` is in f64.
TORCH = {
    "torch_xor": lambda: nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1), nn.Sigmoid()),
    "torch_one": lambda: nn.Sequential(nn.Linear(3, 2)),
    "torch_logits": lambda: nn.Sequential(nn.Linear(5, 17), nn.ReLU(), nn.Linear(17, 3)),
    "torch_mixed": lambda: nn.Sequential(
        nn.Linear(3, 6), nn.BatchNorm1d(6), nn.SiLU(), nn.Dropout(0.2),
        Residual(nn.LayerNorm(6), nn.Linear(6, 6), nn.GELU()), Residual(nn.Linear(6, 6)),
        nn.Sequential(nn.Linear(6, 5), nn.Softplus(), nn.Sequential(nn.Linear(5, 4), nn.Softsign())), nn.Linear(4, 2),
    ),
    "torch_double": lambda: nn.Sequential(
        nn.BatchNorm1d(3), nn.Linear(3, 9), nn.SELU(), nn.Linear(9, 8), nn.LeakyReLU(0.05), nn.LayerNorm(8, eps=1e-3),
        nn.Linear(8, 4), nn.Hardsigmoid(), nn.Linear(4, 3), nn.Softmax(1),
    ),
    "torch_half": lambda: nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.BatchNorm1d(9), nn.Linear(9, 3)),
    "torch_brain": lambda: nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.BatchNorm1d(9), nn.Linear(9, 3)),
    "torch_agent": Agent,
    "torch_long": long,
    "torch_flatten": lambda: nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 2)),
}  # fmt: skip

KERAS = {
    "keras_usual": lambda: [
        k.Dense(12, activation="relu"), k.Dropout(0.25), k.BatchNormalization(), k.Dense(3, activation="softmax"),
    ],
    "keras_norms": lambda: [
        k.Dense(8), k.LayerNormalization(), k.Activation("gelu"), k.Dense(6, activation="silu", use_bias=False),
        k.BatchNormalization(scale=False, center=False), k.ELU(), k.Dense(4), k.LeakyReLU(0.1), k.Dense(4, activation="selu"),
        k.LayerNormalization(center=False), k.Dense(8, activation="hard_sigmoid"), k.Dense(2, activation="tanh"),
    ],
    "keras_double": lambda: [
        k.Dense(5, activation="softplus", dtype="float64"), k.Dense(4, activation="softsign", dtype="float64"),
        k.LayerNormalization(dtype="float64"), k.BatchNormalization(dtype="float64"), k.Dense(1, activation="sigmoid", dtype="float64"),
    ],
}  # fmt: skip

SKLEARN = {
    "sklearn_classes": (MLPClassifier, "tanh", "f32", 3),
    "sklearn_binary": (MLPClassifier, "logistic", "f64", 2),
    "sklearn_regression": (MLPRegressor, "relu", "f64", 2),
}


def torch_model(name):
    model = TORCH[name]()
    return model.double() if name == "torch_double" else model


def width(model):
    first = next(module for module in model.modules() if isinstance(module, (nn.Linear, nn.BatchNorm1d)))
    return getattr(first, "in_features", None) or first.num_features


def train_a_little(model, number):
    """So that no number is one that a layer begins with."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    model.train()
    for _ in range(5):
        x = torch.randn(16, width(model), dtype=number) * 2 + 1
        loss = (model(x) - 0.7).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()


def torch_outputs(model, inputs, number):
    with torch.no_grad():
        return model.to(number).eval()(torch.tensor(inputs, dtype=number)).tolist()


def keras_model_of(name):
    number = "float64" if name == "keras_double" else "float32"
    model = keras.Sequential([keras.Input((4,), dtype=number), *KERAS[name]()])
    return model


def keras_outputs(model, inputs):
    number = model.inputs[0].dtype
    return keras.ops.convert_to_numpy(model(numpy.array(inputs, number), training=False)).tolist()


def sklearn_fitted(name, random):
    """Fitted again in the same way, `check` sets other weights anyway."""
    kind, activation, number, outputs = SKLEARN[name]
    number = {"f32": numpy.float32, "f64": numpy.float64}[number]
    inputs = random.normal(size=(60, 4)).astype(number)
    targets = random.integers(outputs, size=60) if kind is MLPClassifier else random.normal(size=(60, outputs)).astype(number)
    return kind(hidden_layer_sizes=(9, 5), activation=activation, max_iter=20, random_state=1).fit(inputs, targets)


def sklearn_outputs(model, inputs):
    inputs = numpy.array(inputs, model.coefs_[0].dtype)
    if isinstance(model, MLPClassifier):
        found = model.predict_proba(inputs)
        return (found[:, 1:] if len(model.classes_) == 2 else found).tolist()
    return model.predict(inputs).tolist()


def make(folder, seed, own_files):
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    keras.utils.set_random_seed(seed)
    random = numpy.random.default_rng(seed)
    cases, types = {}, []

    def add(name, inputs, outputs):
        cases[name] = {"inputs": inputs, "outputs": outputs}

    def draw(columns):
        # Numbers that f32 holds exactly.
        return (random.integers(-64, 65, size=(SAMPLES, columns)) / 32).tolist()

    for name in TORCH:
        model = torch_model(name)
        number = torch.float64 if name == "torch_double" else torch.float32
        train_a_little(model, number)
        stored = {"torch_half": torch.float16, "torch_brain": torch.bfloat16}.get(name, number)
        model.to(stored)
        save_file(model.state_dict(), folder / f"{name}.safetensors")
        inputs = draw(width(model))
        add(name, inputs, torch_outputs(model, inputs, number))
        if name == "torch_xor":
            with open(folder / "torch_xor.f32", "wb") as file:
                for tensor in model.state_dict().values():
                    file.write(tensor.numpy().astype("<f4").tobytes())
        if name == "torch_mixed":
            with open(folder / "torch_mixed.f64", "wb") as file:
                for tensor_name, tensor in model.state_dict().items():
                    if not tensor_name.endswith("num_batches_tracked"):
                        file.write(tensor.numpy().astype("<f8").tobytes())

    for name in KERAS:
        model = keras_model_of(name)
        model.compile("sgd", "mse")
        number, outputs = model.inputs[0].dtype, model.outputs[0].shape[1]
        x = random.normal(size=(64, 4)).astype(number) * 2 + 1
        model.fit(x, random.uniform(size=(64, outputs)).astype(number), epochs=3, batch_size=16, verbose=0)
        if own_files:
            model.save(folder / f"{name}.keras")
        types.append((name, keras_model.write(model, str(folder / f"{name}.safetensors"))))
        inputs = draw(4)
        add(name, inputs, keras_outputs(model, inputs))

    for name in SKLEARN:
        model = sklearn_fitted(name, random)
        if own_files:
            joblib.dump(model, folder / f"{name}.joblib")
        types.append((name, sklearn_model.write(model, str(folder / f"{name}.safetensors"))))
        inputs = draw(4)
        add(name, inputs, sklearn_outputs(model, inputs))

    (folder / "cases.json").write_text(json.dumps(cases) + "\n")
    words = "".join(f"pub type {''.join(part.title() for part in name.split('_'))} = {found};\n" for name, found in types)
    (folder / "types.rs").write_text("// Printed by the scripts in examples/convert.\n" + words)


def check(folder):
    """Outputs of the models with our weights against our outputs."""
    for name in [*TORCH, *KERAS, *SKLEARN]:
        case = json.loads((folder / "ours" / f"{name}.json").read_text())
        path, inputs = str(folder / "ours" / f"{name}.safetensors"), case["inputs"]
        if name in TORCH:
            model = torch_model(name)
            tensors = load_file(path)
            # Of an agent the actor alone.
            missing, unexpected = model.load_state_dict(tensors, strict=name != "torch_agent")
            if unexpected or any(not key.startswith("critic.") for key in missing):
                raise SystemExit(f"{name}: missing {missing}, unexpected {unexpected}")
            found = torch_outputs(model, inputs, torch.float64 if name == "torch_double" else torch.float32)
        elif name in KERAS:
            model = keras_model_of(name)
            keras_model.read(model, path)
            found = keras_outputs(model, inputs)
        else:
            model = sklearn_fitted(name, numpy.random.default_rng(0))
            sklearn_model.read(model, path)
            found = sklearn_outputs(model, inputs)
        found, right = numpy.array(found), numpy.array(case["outputs"])
        # Keras computes products of float64 in float32.
        limit = 1e-12 if name in ("torch_double", "sklearn_binary", "sklearn_regression") else 1e-6
        error = numpy.abs(found - right).max() / numpy.abs(right).max()
        print(f"{name:20} ours in theirs, off by {error:.1e}")
        if found.shape != right.shape or not error <= limit:
            raise SystemExit(f"{name}: expected at most {limit}, found {error}")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(pathlib.Path(sys.argv[2]), int(sys.argv[3]), "--own-files" in sys.argv)
    elif sys.argv[1] == "check":
        check(pathlib.Path(sys.argv[2]))
    else:
        raise SystemExit(__doc__)

"""scikit-learn: `MLPClassifier` and `MLPRegressor`.

They draw their own weights, so one `partial_fit` makes the arrays, into which the given weights are written. Then `fit` with
`warm_start` goes on from there, many iterations at a time, which is faster than calling `partial_fit` for each. It takes a
new optimizer at each call, so that Adam starts anew every 20 epochs of W3 and every 100 steps of W4.

Its squared error is half of ours, summed over outputs: twice our gradient, which Adam does not see. Its Adam adds epsilon before
it corrects the second average: no difference at the size that gradients have here. Losses are therefore ours, computed from its
predictions.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

import common

warnings.simplefilter("ignore", ConvergenceWarning)

NOTE = "many epochs or steps in a call of `fit`, each call with a new Adam"
LOOPED = {"W1": 1000, "W3": 20, "W4": 100, "W4L": 10}


def model(kind, name, x, t, activation, **options):
    made = kind(hidden_layer_sizes=common.SIZES[name][1:-1], activation=activation, alpha=0, warm_start=True, tol=0,
                n_iter_no_change=10**9, shuffle=False, random_state=0, **options)
    made.partial_fit(x, t, **({"classes": np.unique(t)} if kind is MLPClassifier else {}))
    for place, (weight, bias) in enumerate(common.layers(name)):
        made.coefs_[place][:], made.intercepts_[place][:] = weight.T, bias
        assert made.coefs_[place].dtype == np.float32
    return made


def iterations(made, count, x, t, **options):
    made.set_params(max_iter=count, **options)
    made.fit(x, t)


def xor():
    x, t = common.xor()
    t = t.ravel().astype(int)
    made = model(MLPClassifier, "xor", x, t, "relu", solver="sgd", learning_rate_init=0.01, momentum=0, batch_size=4)
    iterations(made, common.XOR_STEPS, x, t)
    loss = -np.log(made.predict_proba(x)[np.arange(4), t]).mean()
    return common.best_time(lambda: iterations(made, LOOPED["W1"], x, t)) / LOOPED["W1"], loss


def digits():
    x, classes = common.digits()
    made = model(MLPClassifier, "digits", x, classes, "relu", batch_size=common.BATCH)
    iterations(made, 1, x, classes)
    loss = -np.log(made.predict_proba(x)[np.arange(len(x)), classes]).mean()
    epochs = LOOPED["W3"]
    return common.best_time(lambda: iterations(made, epochs, x, classes, shuffle=True)) / epochs, loss, NOTE


def curve(workload):
    x, t = common.curve(workload)
    made = model(MLPRegressor, "curve", x, t, "tanh", batch_size=len(x))
    iterations(made, common.CURVE_STEPS[workload], x, t)
    loss = ((made.predict(x) - t) ** 2).mean()
    steps = LOOPED[workload]
    return common.best_time(lambda: iterations(made, steps, x, t)) / steps, loss, NOTE


def infer(workload):
    name = common.INFERENCE.get(workload, "digits")
    if name == "digits":
        made = model(MLPClassifier, name, *common.digits(), "relu")
        predict = made.predict_proba
    else:
        x = common.inputs(name)
        t = np.zeros((len(x), common.SIZES[name][-1]), dtype=np.float32)
        predict = model(MLPRegressor, name, x, t, "tanh" if name == "small" else "relu").predict
    if workload == "W6":
        x = common.inputs("digits")[:1024]
        return common.best_time(lambda: predict(x)) / len(x), common.checksum(predict(x))
    return common.one_by_one(predict, [sample[None, :] for sample in common.inputs(name)[:64]])


RUN = {"W1": xor, "W3": digits, "W4": lambda: curve("W4"), "W4L": lambda: curve("W4L")}
common.peer(lambda workload: RUN[workload]() if workload in RUN else infer(workload))

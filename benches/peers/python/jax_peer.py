"""JAX, compiled. `step` compiles a step of training and calls it from Python; `loop` compiles the whole loop: 1,000 steps
of W1, an epoch of W3 with its shuffling, 100 steps of W4 and 10 of the others."""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import common

LOOPED = {"W1": 1000, "W4": 100, "W4L": 10, "W5": 10, "W7": 10}


def forward(inner, layers, x):
    for weight, bias in layers[:-1]:
        x = inner(x @ weight.T + bias)
    weight, bias = layers[-1]
    return x @ weight.T + bias


def xor_loss(layers, x, t):
    y = forward(jax.nn.relu, layers, x)
    return jnp.mean(jnp.logaddexp(0, y) - t * y)


def digits_loss(layers, x, classes):
    logs = jax.nn.log_softmax(forward(jax.nn.relu, layers, x))
    return -jnp.mean(jnp.take_along_axis(logs, classes[:, None], axis=1))


def curve_loss(layers, x, t):
    return jnp.mean((forward(jnp.tanh, layers, x) - t) ** 2)


def lenet(layers, x):
    for weight, bias in layers[:2]:
        x = jax.lax.conv_general_dilated(x, weight, (1, 1), "VALID") + bias[:, None, None]
        x = jax.lax.reduce_window(jax.nn.relu(x), -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    return forward(jax.nn.relu, layers[2:], x.reshape(len(x), -1))


def lenet_loss(layers, x, classes):
    logs = jax.nn.log_softmax(lenet(layers, x))
    return -jnp.mean(jnp.take_along_axis(logs, classes[:, None], axis=1))


def gru(layers, x):
    (w_ih, b_ih), (w_hh, b_hh), (weight, bias) = layers

    def step(h, x):
        r_in, z_in, n_in = jnp.split(x @ w_ih.T + b_ih, 3, axis=1)
        r_rec, z_rec, n_rec = jnp.split(h @ w_hh.T + b_hh, 3, axis=1)
        r, z = jax.nn.sigmoid(r_in + r_rec), jax.nn.sigmoid(z_in + z_rec)
        n = jnp.tanh(n_in + r * n_rec)
        return n + z * (h - n), None

    h, _ = jax.lax.scan(step, jnp.zeros((len(x), 32)), x.transpose(1, 0, 2))
    return h @ weight.T + bias


def gru_loss(layers, x, classes):
    logs = jax.nn.log_softmax(gru(layers, x))
    return -jnp.mean(jnp.take_along_axis(logs, classes[:, None], axis=1))


def sgd(loss):
    def step(layers, x, t):
        gradient = jax.grad(loss)(layers, x, t)
        return jax.tree.map(lambda weight, g: weight - 0.01 * g, layers, gradient)

    return step


def adam(loss):
    def step(state, x, t):
        layers, m, v, power1, power2 = state
        gradient = jax.grad(loss)(layers, x, t)
        power1, power2 = power1 * 0.9, power2 * 0.999
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, gradient)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradient)
        layers = jax.tree.map(
            lambda weight, m, v: weight - 1e-3 / (1 - power1) * m / (jnp.sqrt(v / (1 - power2)) + 1e-8), layers, m, v)
        return layers, m, v, power1, power2

    return step


def start(layers):
    # Arrays of their own for all five: what is donated must not be there twice.
    m, v = jax.tree.map(jnp.zeros_like, layers), jax.tree.map(jnp.zeros_like, layers)
    return layers, m, v, jnp.array(1.0), jnp.array(1.0)


def repeated(step, count):
    """`count` steps with the same data, in one program."""
    return lambda state, *data: jax.lax.fori_loop(0, count, lambda _, state: step(state, *data), state)


class Training:
    """Holds what the compiled function takes and returns. Donating spares JAX copies."""

    def __init__(self, step, state):
        self.step, self.state = jax.jit(step, donate_argnums=0), state

    def call(self, *data):
        self.state = self.step(self.state, *data)

    def timed(self, *data):
        """Waits for the result, as calls run in the background."""
        self.call(*data)
        jax.block_until_ready(self.state)


def same_data(step, state, layers_of, loss, x, t, check, looped, loop):
    x, t = jnp.asarray(x), jnp.asarray(t)
    checked = Training(repeated(step, check), state)
    checked.call(x, t)
    value = float(loss(layers_of(checked.state), x, t))
    training = Training(repeated(step, looped) if loop else step, checked.state)
    training.timed(x, t)
    return common.best_time(lambda: training.timed(x, t)) / (looped if loop else 1), value


def digits(loop):
    x, classes = common.digits()
    x, classes = jnp.asarray(x), jnp.asarray(classes.astype(np.int32))
    layers, step = jax.tree.map(jnp.asarray, common.layers("digits")), adam(digits_loss)
    full = len(x) // common.BATCH * common.BATCH

    if loop:
        def in_order(state, order):
            def one(state, batch):
                return step(state, x[batch], classes[batch]), None

            state, _ = jax.lax.scan(one, state, order[:full].reshape(-1, common.BATCH))
            return step(state, x[order[full:]], classes[order[full:]])

        def shuffled(carry):
            state, key = carry
            key, mine = jax.random.split(key)
            return in_order(state, jax.random.permutation(mine, len(x))), key

        checked = jax.jit(in_order)(start(layers), jnp.arange(len(x)))
        loss = float(digits_loss(checked[0], x, classes))
        training = Training(shuffled, (checked, jax.random.key(0)))
        training.timed()
        return common.best_time(training.timed), loss

    training = Training(lambda state, batch: step(state, x[batch], classes[batch]), start(layers))
    random = np.random.default_rng(0)

    def epoch(order):
        for batch in common.batches(order):
            training.call(batch)
        jax.block_until_ready(training.state)

    epoch(np.arange(len(x)))
    loss = float(digits_loss(training.state[0], x, classes))
    return common.best_time(lambda: epoch(random.permutation(len(x)))), loss


def infer(workload):
    name = common.INFERENCE.get(workload, "digits")
    layers = jax.tree.map(jnp.asarray, common.layers(name))
    inner = jnp.tanh if name == "small" else jax.nn.relu
    last = jax.nn.softmax if name == "digits" else lambda y: y
    predict = jax.jit(lambda x: last(forward(inner, layers, x)))
    if workload == "W6":
        x = jnp.asarray(common.inputs("digits")[:1024])
        return (common.best_time(lambda: predict(x).block_until_ready()) / len(x), common.checksum(predict(x)))
    samples = [jnp.asarray(sample) for sample in common.inputs(name)[:64]]
    return common.one_by_one(lambda x: predict(x).block_until_ready(), samples)


def run(workload):
    loop = sys.argv[1] == "loop"
    if workload == "W1":
        layers = jax.tree.map(jnp.asarray, common.layers("xor"))
        return same_data(sgd(xor_loss), layers, lambda layers: layers, xor_loss, *common.xor(), common.XOR_STEPS,
                         LOOPED["W1"], loop)
    if workload == "W3":
        return digits(loop)
    if workload in common.CURVE_STEPS:
        layers = jax.tree.map(jnp.asarray, common.layers("curve"))
        return same_data(adam(curve_loss), start(layers), lambda state: state[0], curve_loss, *common.curve(workload),
                         common.CURVE_STEPS[workload], LOOPED[workload], loop)
    if workload == "W7":
        layers, (x, classes) = jax.tree.map(jnp.asarray, common.gru_layers()), common.gru()
        return same_data(adam(gru_loss), start(layers), lambda state: state[0], gru_loss, x, classes.astype(np.int32),
                         common.GRU_STEPS, LOOPED["W7"], loop)
    if workload in ("W5", "W5p"):
        layers, (x, classes) = jax.tree.map(jnp.asarray, common.lenet_layers()), common.lenet()
        if workload == "W5":
            return same_data(adam(lenet_loss), start(layers), lambda state: state[0], lenet_loss, x,
                             classes.astype(np.int32), common.LENET_STEPS, LOOPED["W5"], loop)
        predict = jax.jit(lambda x: jax.nn.softmax(lenet(layers, x)))
        samples = [jnp.asarray(sample[None]) for sample in x]
        return common.one_by_one(lambda x: predict(x).block_until_ready(), samples)
    return infer(workload)


common.peer(run)

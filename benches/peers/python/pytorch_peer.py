"""PyTorch, eager. Adam is the fused one, which is the fastest for these sizes."""

import numpy as np
import torch
from torch import nn

import common

torch.set_num_threads(1)

ACTIVATIONS = {"xor": nn.ReLU, "small": nn.Tanh, "digits": nn.ReLU, "mnist": nn.ReLU, "curve": nn.Tanh}


def network(name, last=()):
    modules = []
    for weight, bias in common.layers(name):
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight))
            linear.bias.copy_(torch.from_numpy(bias))
        modules += [linear, ACTIVATIONS[name]()]
    return nn.Sequential(*modules[:-1], *last)


def trained(model, optimizer, loss_of, x, t):
    """One step."""
    optimizer.zero_grad()
    loss = loss_of(model(x), t)
    loss.backward()
    optimizer.step()


def steps(name, optimizer, loss_of, x, t, count):
    model = network(name)
    optimizer = optimizer(model.parameters())
    x, t = torch.from_numpy(x), torch.from_numpy(t)
    for _ in range(count):
        trained(model, optimizer, loss_of, x, t)
    with torch.no_grad():
        loss = loss_of(model(x), t).item()
    return common.best_time(lambda: trained(model, optimizer, loss_of, x, t)), loss


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-3, fused=True)


def digits():
    model, loss_of = network("digits"), nn.CrossEntropyLoss()
    optimizer = adam(model.parameters())
    x, classes = common.digits()
    x, classes = torch.from_numpy(x), torch.from_numpy(classes.astype(np.int64))

    def epoch(order):
        for batch in order.split(common.BATCH):
            trained(model, optimizer, loss_of, x[batch], classes[batch])

    epoch(torch.arange(len(x)))
    with torch.no_grad():
        loss = loss_of(model(x), classes).item()
    return common.best_time(lambda: epoch(torch.randperm(len(x)))), loss


def lenet(last=()):
    modules, layers = [], common.lenet_layers()
    for place, (weight, bias) in enumerate(layers):
        shape = weight.shape
        module = nn.Conv2d(shape[1], shape[0], 5) if len(shape) == 4 else nn.Linear(shape[1], shape[0])
        with torch.no_grad():
            module.weight.copy_(torch.from_numpy(weight))
            module.bias.copy_(torch.from_numpy(bias))
        modules += [nn.Flatten()] if place == 2 else []
        modules += [module, nn.ReLU()] + ([nn.MaxPool2d(2)] if len(shape) == 4 else [])
    return nn.Sequential(*modules[:-1], *last)


class Gru(nn.Module):
    def __init__(self):
        super().__init__()
        (w_ih, b_ih), (w_hh, b_hh), (weight, bias) = common.gru_layers()
        self.gru, self.last = nn.GRU(1, 32, batch_first=True), nn.Linear(32, 10)
        with torch.no_grad():
            for parameter, values in [
                (self.gru.weight_ih_l0, w_ih), (self.gru.weight_hh_l0, w_hh), (self.gru.bias_ih_l0, b_ih),
                (self.gru.bias_hh_l0, b_hh), (self.last.weight, weight), (self.last.bias, bias),
            ]:
                parameter.copy_(torch.from_numpy(values))

    def forward(self, x):
        return self.last(self.gru(x)[0][:, -1])


def class_steps(model, x, classes, steps):
    loss_of = nn.CrossEntropyLoss()
    optimizer = adam(model.parameters())
    x, classes = torch.from_numpy(x), torch.from_numpy(classes.astype(np.int64))
    for _ in range(steps):
        trained(model, optimizer, loss_of, x, classes)
    with torch.no_grad():
        loss = loss_of(model(x), classes).item()
    return common.best_time(lambda: trained(model, optimizer, loss_of, x, classes)), loss


def infer(workload):
    name = common.INFERENCE.get(workload, "digits")
    model = network(name, [nn.Softmax(dim=-1)] if name == "digits" else [])
    with torch.inference_mode():
        if workload != "W6":
            return common.one_by_one(model, list(torch.from_numpy(common.inputs(name)[:64])))
        x = torch.from_numpy(common.inputs("digits")[:1024])
        return common.best_time(lambda: model(x)) / len(x), common.checksum(model(x))


def run(workload):
    if workload == "W1":
        sgd = lambda parameters: torch.optim.SGD(parameters, lr=0.01)
        return steps("xor", sgd, nn.BCEWithLogitsLoss(), *common.xor(), common.XOR_STEPS)
    if workload == "W3":
        return digits()
    if workload in common.CURVE_STEPS:
        return steps("curve", adam, nn.MSELoss(), *common.curve(workload), common.CURVE_STEPS[workload])
    if workload == "W5":
        return class_steps(lenet(), *common.lenet(), common.LENET_STEPS)
    if workload == "W7":
        return class_steps(Gru(), *common.gru(), common.GRU_STEPS)
    if workload == "W5p":
        with torch.inference_mode():
            return common.one_by_one(lenet([nn.Softmax(dim=-1)]), list(torch.from_numpy(common.lenet()[0]).split(1)))
    return infer(workload)


common.peer(run)

"""Modules for the PyTorch tests: one per layer or operator, with what they are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


class Functional(nn.Module):
    """A function as a module, with a buffer ``c``, a matrix ``w`` and a layer ``fc``."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("c", torch.linspace(-1.5, 2.0, 8))
        self.register_buffer("w", torch.linspace(-1.0, 1.0, 24).reshape(8, 3))
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        return self.function(self, x)


def trained_norm(norm: nn.Module) -> nn.Module:
    """A BatchNorm with statistics and parameters that are not the initial ones."""
    with torch.no_grad():
        for value in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            value.copy_(torch.rand_like(value) + 0.3)
    return norm


LAYERS = {
    "linear": lambda: nn.Linear(8, 3),
    "linear_no_bias": lambda: nn.Linear(8, 3, bias=False),
    "relu": lambda: nn.ReLU(),
    "relu_in_place": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(),
    "leaky": lambda: nn.LeakyReLU(0.1),
    "prelu": lambda: nn.PReLU(),
    "prelu8": lambda: nn.PReLU(8),
    "elu": lambda: nn.ELU(0.7),
    "selu": lambda: nn.SELU(),
    "celu": lambda: nn.CELU(0.7),
    "gelu": lambda: nn.GELU(),
    "gelu_tanh": lambda: nn.GELU("tanh"),
    "silu": lambda: nn.SiLU(),
    "mish": lambda: nn.Mish(),
    "sigmoid": lambda: nn.Sigmoid(),
    "tanh": lambda: nn.Tanh(),
    "softplus": lambda: nn.Softplus(),
    "softplus_beta": lambda: nn.Softplus(beta=2),
    "softsign": lambda: nn.Softsign(),
    "hardsigmoid": lambda: nn.Hardsigmoid(),
    "hardswish": lambda: nn.Hardswish(),
    "hardtanh": lambda: nn.Hardtanh(-2, 3),
    "threshold": lambda: nn.Threshold(0.1, 0.5),
    "log_sigmoid": lambda: nn.LogSigmoid(),
    "tanhshrink": lambda: nn.Tanhshrink(),
    "softmax": lambda: nn.Softmax(1),
    "log_softmax": lambda: nn.LogSoftmax(-1),
    "softmin": lambda: nn.Softmin(1),
    "batch_norm": lambda: trained_norm(nn.BatchNorm1d(8)),
    "unflatten": lambda: nn.Unflatten(1, (2, 4)),
    "dropout": lambda: nn.Sequential(nn.Linear(8, 4), nn.Dropout(), nn.Identity(), nn.AlphaDropout(), nn.Flatten()),
    "norm_3d": lambda: nn.Sequential(nn.Unflatten(1, (2, 4)), trained_norm(nn.BatchNorm1d(2)), nn.PReLU(2)),
    "linear_3d": lambda: nn.Sequential(nn.Unflatten(1, (2, 4)), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2, bias=False)),
    "weight_norm": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(8, 3)),
    "in_place_chain": lambda: nn.Sequential(nn.Linear(8, 4), nn.Dropout(), nn.ReLU(inplace=True), nn.Hardtanh(inplace=True)),
}


def _late_reader(m, x):
    y = m.fc(x)
    F.relu(y, inplace=True)
    return y + 1


def _in_place_arithmetic(m, x):
    y = x * 1.5
    y += m.c
    y *= 2
    return y


FUNCTIONS = {
    "affine": lambda m, x: x * 2 + 1,
    "one_minus": lambda m, x: 1 - x,
    "halved": lambda m, x: x / 2,
    "negative": lambda m, x: -x,
    "plus_buffer": lambda m, x: x + m.c,
    "buffer_minus": lambda m, x: m.c - x,
    "times_buffer": lambda m, x: m.c * x,
    "over_buffer": lambda m, x: x / (m.c + 3),
    "cat": lambda m, x: torch.cat([x, m.fc(x), x], 1),
    "stack": lambda m, x: torch.stack([x, m.fc(x)], -1),
    "chained": lambda m, x: x + m.fc(x) + x - m.fc(x) * x,
    "sum_of_list": lambda m, x: sum([x, x * 2, x * 3]),
    "maximum": lambda m, x: torch.maximum(x, -x),
    "max_other": lambda m, x: torch.max(x, m.c),
    "minimum_number": lambda m, x: torch.minimum(x, torch.tensor(0.25)),
    "view": lambda m, x: x.view(-1, 2, 4),
    "view_size": lambda m, x: x.view(x.size(0), -1),
    "flatten_transposed": lambda m, x: x.reshape(x.shape[0], 2, 4).transpose(1, 2).flatten(1),
    "squeeze": lambda m, x: x.unsqueeze(1).squeeze(1),
    "permute": lambda m, x: x.view(-1, 2, 2, 2).permute(0, 3, 1, 2),
    "matrix_transposed": lambda m, x: x.view(-1, 2, 4).mT,
    "clamp": lambda m, x: torch.clamp(x, -0.5, 0.75),
    "clamp_min": lambda m, x: x.clamp(min=0.5),
    "clamp_max": lambda m, x: x.clamp(max=0.2),
    "abs": lambda m, x: x.abs(),
    "square": lambda m, x: torch.square(x),
    "power": lambda m, x: x**2 + x**3,
    "sign": lambda m, x: torch.sign(x),
    "relu_chain": lambda m, x: F.relu(F.relu6(F.leaky_relu(x))),
    "exp": lambda m, x: torch.exp(x),
    "erf": lambda m, x: torch.erf(x),
    "root": lambda m, x: torch.sqrt(x * x + 1) + torch.rsqrt(x * x + 2) + torch.log(x * x + 1.5) + 1 / (x * x + 1),
    "sine": lambda m, x: torch.sin(x) + torch.cos(x),
    "add_alpha": lambda m, x: torch.add(x, m.fc(x), alpha=2.5),
    "new_constant": lambda m, x: x + torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8]) + torch.arange(8) + torch.full((8,), 0.5),
    "ones_like": lambda m, x: x + torch.ones_like(x),
    "matmul": lambda m, x: x @ m.w + m.w[0],
    "matmul_3d": lambda m, x: torch.matmul(x.view(-1, 2, 4), m.w[:4]),
    "addmm": lambda m, x: torch.addmm(m.c[:3], x, m.w, beta=0.5, alpha=2),
    "linear_of_buffer": lambda m, x: F.linear(x, m.w.t().contiguous()),
    "linear_of_buffer_T": lambda m, x: F.linear(x, m.w.T),
    "where": lambda m, x: torch.where(x > 0, x, x * 0.1),
    "where_zero": lambda m, x: torch.where(x > 0, x, 0),
    "conversions": lambda m, x: x.to(torch.float32).detach().clone().contiguous().double().float() * 2,
    "constant_grows": lambda m, x: x.view(-1, 1, 8) + m.w.view(6, 4)[:, :1],
    "hand_hard_swish": lambda m, x: x * F.relu6(x + 3) / 6,
    "hand_hard_sigmoid": lambda m, x: F.hardtanh(x + 3, 0, 6) / 6,
    "hand_swish": lambda m, x: x * torch.sigmoid(x) + x * torch.tanh(F.softplus(x)),
    "steeper_mish": lambda m, x: x * torch.tanh(F.softplus(x, beta=2)),
    "merged_batch": lambda m, x: F.relu(F.linear(x.view(-1, 4), m.w[:3, :].view(3, 3)[:, :1].expand(3, 4) * 1.0)).view(
        -1, 2, 3
    ),
    "constant_as_another": lambda m, x: x * (m.c > 0).type_as(x) + m.c[:1].expand_as(x),
    "places_as_another": lambda m, x: torch.zeros_like(x).scatter_add(
        1, torch.tensor([[0, 3, 3, 7, 1, 0, 2, 0]]).expand_as(x), x
    ),
    "late_reader": _late_reader,
    "in_place_arithmetic": _in_place_arithmetic,
    "shared_module": lambda m, x: m.fc(F.relu(m.fc(x))),
}


def modules() -> dict[str, nn.Module]:
    """All of them, seeded."""
    torch.manual_seed(7)
    zoo = {k: make() for k, make in LAYERS.items()}
    zoo.update({k: Functional(f) for k, f in FUNCTIONS.items()})
    return {k: m.eval() for k, m in zoo.items()}


class Everything(nn.Module):
    """All of them side by side, so that one export serves them all."""

    def __init__(self) -> None:
        super().__init__()
        self.zoo = nn.ModuleDict(modules())

    def forward(self, x):
        return tuple(m(x.clone()) for m in self.zoo.values())


def jet_tagger() -> nn.Module:
    """A small classifier with a name for every layer."""
    torch.manual_seed(3)
    layers = {
        "fc1": nn.Linear(16, 8),
        "bn1": trained_norm(nn.BatchNorm1d(8)),
        "relu1": nn.ReLU(),
        "drop": nn.Dropout(),
        "fc2": nn.Linear(8, 5),
        "softmax": nn.Softmax(dim=1),
    }
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model.eval()

"""Live modules of PQuantML: while a network is exported, modules of PyTorch between casts stand in their places.

A program cannot hold them: what they compute depends on their own buffers. Weights are what a module itself answers for its
``weight`` and ``bias``, pruned and quantised; casts have the bits and modes of its quantisers. PQuantML is not imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nn2hls.converters.lower import quantised
from nn2hls.converters.lower.tables import PLAIN_ADDRESS
from nn2hls.converters.lower.value import Refusal
from nn2hls.converters.pytorch import pquant_attention
from nn2hls.converters.pytorch.pquant_casts import CALL_IT, Step, cast, table, types, used
from nn2hls.errors import UnsupportedError
from nn2hls.guard import shortened

_PACKAGE = "pquant."
_EXPORT = (
    "export it and read that file: pquant.core.torch.convert_to_onnx.convert_to_onnx(model, shape, 'model.onnx', "
    "use_qonnx=True); it rounds half to even, whatever the module does"
)
_SMOOTH = ("tanh", "gelu")
# What a function that was given as such says itself, and what PyTorch's own function of that name takes.
_OPTIONS = {"leaky_relu": ("negative_slope", 0.01), "gelu": ("approximate", "none")}
# What a module of PyTorch is made from, by class: names of attributes, which are those of its arguments.
_CONV = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
_NORM = ("num_features", "eps", "momentum", "affine", "track_running_stats")
_POOL = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
_PLAIN: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "PQDense": ("Linear", ("in_features", "out_features")),
    "PQConv1d": ("Conv1d", _CONV),
    "PQConv2d": ("Conv2d", _CONV),
    "PQBatchNorm1d": ("BatchNorm1d", _NORM),
    "PQBatchNorm2d": ("BatchNorm2d", _NORM),
    "PQLayerNorm": ("LayerNorm", ("normalized_shape", "eps", "elementwise_affine")),
    "PQAvgPool1d": ("AvgPool1d", _POOL),
    "PQAvgPool2d": ("AvgPool2d", (*_POOL, "divisor_override")),
}
_OTHERS = ("PQActivation", "PQSoftmax", "PQMultiheadAttention")
_PRODUCTS = ("PQDense", "PQConv1d", "PQConv2d", "PQMultiheadAttention")
_FUNCTIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "relu": ("ReLU", {}),
    "tanh": ("Tanh", {}),
    "hard_tanh": ("Hardtanh", {}),
    "leaky_relu": ("LeakyReLU", {"negative_slope": 0.1015625}),
    "gelu": ("GELU", {}),
}


@contextmanager
def standing_in(module: Any) -> Iterator[tuple[Any, frozenset[str]]]:
    """The network with modules of PyTorch in the places of those of PQuantML, and the paths of those with quantised weights.

    Raises:
        UnsupportedError: Lists modules that are not offered, with the reason.
    """
    found = {path: part for path, part in module.named_modules() if _kind(part) in (*_PLAIN, *_OTHERS)}
    whole = {
        path: part for path, part in found.items() if not any(path.startswith(f"{o}." if o else "") for o in found if o != path)
    }
    made, problems = dict[int, Any](), []
    for path, part in whole.items():
        try:
            made[id(part)] = _made(part)
        except Refusal as reason:
            problems.append(f"\n  {path or 'the module itself'} ({_kind(part)}): {reason}")
        except (AttributeError, TypeError) as error:
            what = f"it is not as PQuantML 0.1 makes it ({shortened(str(error))}); {_EXPORT}"
            problems.append(f"\n  {path or 'the module itself'} ({_kind(part)}): {what}")
    if problems:
        raise UnsupportedError(f"{len(problems)} modules of PQuantML cannot be converted:{''.join(problems)}")
    exact = frozenset(path for path, part in found.items() if _kind(part) in _PRODUCTS and part.enable_quantization)
    places = [
        (parent, name, part) for parent in list(module.modules()) for name, part in parent._modules.items() if id(part) in made
    ]
    try:
        for parent, name, part in places:
            parent._modules[name] = made[id(part)]
        yield made.get(id(module), module), exact
    finally:
        for parent, name, part in places:
            parent._modules[name] = part


def _kind(module: Any) -> str:
    """The class of a module of PQuantML; empty for others."""
    kind = type(module)
    return kind.__name__ if kind.__module__.startswith(_PACKAGE) else ""


def _made(module: Any) -> Any:
    """The module of PyTorch that computes the same, with the casts before and behind it."""
    import torch

    kind = _kind(module)
    if kind == "PQSoftmax":
        return pquant_attention.softmax(module)
    if kind == "PQMultiheadAttention":
        return pquant_attention.attention(module, _made)
    if getattr(module, "use_fitcompress", False) and module.is_pretraining:
        raise Refusal(f"FITcompress is still searching; {CALL_IT}")
    steps = _multiplier(module, kind)
    if kind == "PQActivation" and (tabled := _tabled(module)):
        return pquant_attention.holding(lambda x: _through([*steps, *tabled], x))
    name, arguments = _function(module) if kind == "PQActivation" else _arguments(module, kind)
    entering = cast(module, "input")
    leaving = cast(module, "output")
    plain_one = getattr(torch.nn, name)(**arguments)
    if kind not in ("PQActivation", "PQAvgPool1d", "PQAvgPool2d"):
        _weigh(plain_one, module)
    plain_one.eval()
    steps += filter(None, [entering])
    if steps:
        plain_one.register_forward_pre_hook(lambda _, given: (_through(steps, given[0]), *given[1:]))
    if leaving is not None:
        plain_one.register_forward_hook(lambda _, __, result: leaving(result))
    return plain_one


def _through(steps: list[Step], x: Any) -> Any:
    for step in steps:
        x = step(x)
    return x


def _arguments(module: Any, kind: str) -> tuple[str, Mapping[str, Any]]:
    name, names = _PLAIN[kind]
    return name, {word: getattr(module, word) for word in names}


def _tabled(module: Any) -> list[Step]:
    """The cast before a function and the function with the cast behind it, as a table; none where it is none."""
    function, word = getattr(module, "activation_function", None), module.activation_name
    own = not (word in _FUNCTIONS and _of_packages(function))
    if function is None or (not own and word not in _SMOOTH and _function(module) == _FUNCTIONS[word]):
        return []
    entering = cast(module, "input")
    if entering is None or not used(module, "output"):
        if own:
            raise Refusal(
                f"its function {shortened(word)} is offered as a table alone; set quantize_input and quantize_output, "
                f"or take one of {', '.join(_FUNCTIONS)}"
            )
        return []
    if not own and types(module, "input").hull.width > PLAIN_ADDRESS:
        return []
    return [entering, table(function, (module, "input"), (module, "output"), "")]


def _of_packages(function: Any) -> bool:
    """Whether a function, or a module that is one, is of PyTorch or of PQuantML."""
    thing = function if hasattr(function, "__name__") else type(function)
    home = getattr(thing, "__module__", None) or "torch"  # functions in C have none
    return str(home).startswith(("torch", _PACKAGE))


def _function(module: Any) -> tuple[str, Mapping[str, Any]]:
    word = module.activation_name
    if word not in _FUNCTIONS:
        raise Refusal(f"its activation {shortened(word)} is not offered; {', '.join(_FUNCTIONS)} are")
    name, arguments = _FUNCTIONS[word]
    function = getattr(module, "activation_function", None)
    if function is None or word not in _OPTIONS:
        return name, arguments
    option, default = _OPTIONS[word]
    return name, {option: getattr(function, option, default)}


def _multiplier(module: Any, kind: str) -> list[Step]:
    """A power of two that training chose, before a ReLU."""
    if kind != "PQActivation" or module.use_hgq or not module.use_multiplier or module.activation_name != "relu":
        return []
    if not module.built:
        raise Refusal(f"it has no multiplier yet; {CALL_IT}")
    power = round(float(module.multiplier.detach()))
    if abs(power) > quantised.MAX_WIDTH:
        raise Refusal(f"its multiplier 2^{power} is out of reach; train it again")
    return [lambda x: x * 2.0**power] if power else []


def _weigh(made: Any, module: Any) -> None:
    """Give it the weights that the module computes with, which may note down masks meanwhile; these are put back."""
    import torch

    pruning = getattr(module, "pruning_layer", None)
    kept = {} if pruning is None else {name: value.clone() for name, value in pruning.state_dict().items()}
    with torch.no_grad():
        for word in ("weight", "bias"):
            value = getattr(module, word)
            setattr(made, word, None if value is None else torch.nn.Parameter(value.detach().clone(), requires_grad=False))
        for word in ("running_mean", "running_var"):
            if hasattr(module, word):
                setattr(made, word, getattr(module, word))
    if pruning is not None:
        pruning.load_state_dict(kept)

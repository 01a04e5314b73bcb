"""HGQ2's layers of tables: sums of functions, one for each pair of an input and an output, little networks in training.

A design holds their tables. A word is computed in double precision from the float32 weights and is what the package itself
computes unless that lies within its own float32 error of the middle between two words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nn2hls.converters.keras import hgq, hgq_quantisers, windows
from nn2hls.converters.keras.activations import activation
from nn2hls.converters.keras.emit import Activation, Entry, Prepared, Site
from nn2hls.converters.keras.hgq_inner import inner
from nn2hls.converters.keras.hgq_tables import function_of
from nn2hls.converters.keras.hgq_weights import quantiser_arrays
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import quantised, reductions, window
from nn2hls.converters.lower.einsum import Equation
from nn2hls.converters.lower.moves import expand
from nn2hls.converters.lower.shape import reshape, transpose
from nn2hls.converters.lower.value import Refusal, Tensor, limited_weights, plain
from nn2hls.converters.lower.value import Site as LowerSite
from nn2hls.graph.const import Shape
from nn2hls.ops import Reduction

# A function of all table inputs (values,) for each pair: (values, *axes of the pairs).
Pairs = Callable[[np.ndarray], np.ndarray]
_NORM = ("bn_epsilon", "bn_center", "bn_scale", "batch_norm")
_READ = (
    *("table_idxs", "bn_momentum", "normalize_axes", "n_hl", "d_hl", "use_bias", "bias_axes", "n_out", "output_shape"),
    *_NORM,
)


def _word(value: Any) -> Any:
    """A function's name, which a config may have with a form around it."""
    return value["config"] if isinstance(value, dict) and value.get("class_name") == "function" else value


def _named(layer: Layer) -> Activation:
    """The function of the sums."""
    return activation(replace(layer, config={"activation": _word(layer.value("activation", default="linear"))}))


def little_network(layer: Layer) -> Pairs:
    """The functions as the weights have them, a hidden layer of a few neurons between number and number.

    Raises:
        Refusal: The weights do not fit a single number that enters.
    """
    hidden = function_of(_word(layer.value("subnn_activation", default="linear")))
    steps = [inner(layer, f"module/layers/einsum_dense{f'_{k}' if k else ''}") for k in range(layer.integer("n_hl", 1) + 1)]
    kernels = [np.asarray(step.weights["kernel"], np.float64) for step in steps]
    biases = [np.asarray(step.weights.get("bias", 0.0), np.float64) for step in steps]
    if len(kernels) > 1 and kernels[0].shape[-2] != 1:
        what = f"{kernels[0].shape[-2]} numbers enter each of its tables"
        raise Refusal(f"{what}, and there is one, so that HGQ2 itself cannot compute it; build it with n_hl=0 or d_hl=1")

    def found(values: np.ndarray) -> np.ndarray:
        pairs = kernels[-1].ndim - 1
        x = values.astype(np.float64).reshape(-1, *[1] * pairs, 1)
        for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
            x = hidden(np.einsum("...d,...dD->...D", np.broadcast_to(x, (*x.shape[:1], *kernel.shape[:-1])), kernel) + bias)
        return np.asarray((x * kernels[-1]).sum(axis=-1) + biases[-1])

    return found


def summed(layer: Layer, site: LowerSite, x: Tensor, pairs: Pairs, axes: tuple[int, ...], gone: tuple[int, ...]) -> Tensor:
    """Every element through its table, then sums.

    Args:
        layer: Whose quantisers have arrays of x's shape.
        site: Where it goes.
        x: Of all axes, those of the pairs and those along which tables are the same.
        pairs: What the tables hold, over axes of the pairs.
        axes: Which axes of x these are.
        gone: The axes that are summed over.
    """
    before, behind = hgq.quantiser(layer, "iq"), hgq.quantiser(layer, "toq")
    if before is None or behind is None or before.affine is not None or behind.affine is not None or behind.never_wraps:
        raise Refusal("its tables need a quantiser of what enters and one of what leaves, without 'affine' and not of weights")
    entering, leaving = quantiser_arrays(layer, "iq"), quantiser_arrays(layer, "toq")
    cast = hgq_quantisers.cast(before, entering)
    assert cast is not None
    kind = before.bits(entering).address
    addresses = np.arange(kind.min_mantissa, kind.max_mantissa + 1)
    shape = [x.shape[k] if k in axes else 1 for k in range(len(x.shape))]
    own = next(iter(leaving.values())).shape[1:]
    try:
        which = np.broadcast_shapes(own, tuple(shape))
    except ValueError:
        raise Refusal(f"its quantiser of tables has bits of shape {own} for values of shape {x.shape}") from None
    limited_weights([len(addresses), math.prod(which)])
    with np.errstate(all="ignore"):
        values = pairs(np.ldexp(addresses, -kind.fraction)).reshape(-1, *shape)
    full = np.broadcast_to(values, (len(addresses), *which))
    words = hgq_quantisers.constants(behind, leaving, full).reshape(len(addresses), -1)
    if not np.isfinite(words).all():
        raise Refusal("one of its tables is not finite for every value that enters")
    rows, numbers = np.unique(words.T, axis=0, return_inverse=True)
    seen = quantised.table(site.step("tables"), cast(site.step("iq"), x), kind, rows, np.asarray(numbers).reshape(which))
    return reductions.reduce(site, seen, Reduction.SUM, gone)


def _with_functions(layer: Layer, compute: Callable[[Site], Tensor]) -> Prepared:
    """What ``compute`` makes, its function and the cast behind it."""
    layer.read.update((*hgq.IDLE, *_READ))
    function, outside = _named(layer), hgq.quantiser(layer, "oq")
    for word in ("iq", "toq"):
        hgq.quantiser(layer, word)
    function_of(_word(layer.value("subnn_activation", default="linear")))

    def lower(site: Site) -> Tensor:
        left = hgq.cast_of(layer, "oq", outside)
        return site.then(Activation("oq", left), lambda at: at.then(function, compute))

    return lower


def _paired(layer: Layer, site: Site, x: Tensor) -> Tensor:
    """Sums over the last axis, each element of which has a table for each output."""
    count = layer.integer("n_out") if layer.value("n_out") is not None else layer.integer("filters")
    shape: Shape = (*plain(x), count)
    wide = expand(site.step("pairs"), reshape(site.step("columns"), x, (*x.shape, 1)), shape)
    network, rank = little_network(layer), len(shape)

    def found(values: np.ndarray) -> np.ndarray:
        return _normed(layer, network(values), x.shape[-1])

    return summed(layer, site, wide, found, (rank - 2, rank - 1), (rank - 2,))


def _normed(layer: Layer, values: np.ndarray, inputs: int) -> np.ndarray:
    """A normalisation by running statistics of each output, and a division by the root of the number of inputs."""
    if not layer.flag("batch_norm", False):
        return values
    return _affine(layer, inner(layer, "bn_module").weights, values) / math.sqrt(inputs)


def _affine(layer: Layer, w: Mapping[str, np.ndarray], values: np.ndarray, shape: Shape | None = None) -> np.ndarray:
    factor = w.get("gamma", np.float64(1)) / np.sqrt(w["moving_variance"] + layer.number("bn_epsilon", default=1e-3))
    offset = w.get("beta", np.float64(0)) - w["moving_mean"] * factor
    if shape is not None:
        factor, offset = factor.reshape(shape), offset.reshape(shape)
    return np.asarray(values * factor + offset)


def dense(layer: Layer) -> Prepared:
    """QDenseT."""
    return _with_functions(layer, lambda site: _paired(layer, site, site.tensor))


def convolution(rank: int) -> Entry:
    """QConvT1D and QConvT2D: the same of what the kernel sees at each position."""

    def entry(layer: Layer) -> Prepared:
        if windows.is_first(layer) or layer.integer("groups", 1) != 1:
            raise Refusal("channels first, and groups, are not offered with tables; train it with channels last")
        word, size = windows.padding(layer, rank), windows.sizes(layer, "kernel_size", rank)
        strides, dilation = windows.sizes(layer, "strides", rank, 1), windows.sizes(layer, "dilation_rate", rank, 1)

        def compute(site: Site) -> Tensor:
            space = windows.space_of(site.tensor, rank, first=False)
            seen = window.Window(size, strides, dilation, windows.pads(word, space, size, strides, dilation))
            return _paired(layer, site, window.patches(site.step("patches"), site.tensor, seen))

        layer.read.add("filters")
        return _with_functions(layer, compute)

    return entry


def by_equation(layer: Layer) -> Prepared:
    """QEinsumDenseT: as EinsumDense, a table for each weight in place of a product."""
    text = layer.value("equation")
    if not isinstance(text, str):
        raise Refusal(f"'equation' = {text!r:.80} is no equation")

    def compute(site: Site) -> Tensor:
        x, network = site.tensor, little_network(layer)
        kernel = inner(layer, f"module/layers/einsum_dense{_last(layer)}").weights["kernel"].shape[:-1]
        equation = Equation.read(text, [(1, *plain(x)), kernel])
        (first, weight), out = equation.operands, equation.result[1:]
        letters = first[1:] + "".join(c for c in weight if c not in first)
        if any(c not in out for c in weight if c not in first) or first[0] in weight:
            raise Refusal(f"its equation '{text:.80}' sums over an axis that its weights alone have")
        sizes = {**dict(zip(first[1:], x.shape, strict=True)), **dict(zip(weight, kernel, strict=True))}
        column = reshape(site.step("columns"), x, (*x.shape, *[1] * (len(letters) - len(x.shape))))
        wide = expand(site.step("pairs"), column, tuple(sizes[c] for c in letters))
        gone = tuple(k for k, c in enumerate(letters) if c not in out)
        order = [1 + weight.index(c) for c in letters if c in weight]
        norm = _norm_of_equation(layer, [c for c in letters if c in weight], out, sizes, math.prod(wide.shape[k] for k in gone))

        def found(values: np.ndarray) -> np.ndarray:
            return norm(np.transpose(network(values), (0, *order)))

        left = "".join(c for c in letters if c in out)
        total = summed(layer, site if left == out else site.step("sum"), wide, found, _places(letters, weight), gone)
        return transpose(site, total, [left.index(c) for c in out])

    return _with_functions(layer, compute)


def _last(layer: Layer) -> str:
    count = layer.integer("n_hl", 1)
    return f"_{count}" if count else ""


def _places(letters: str, weight: str) -> tuple[int, ...]:
    return tuple(k for k, c in enumerate(letters) if c in weight)


def _norm_of_equation(layer: Layer, letters: list[str], out: str, sizes: Mapping[str, int], inputs: int) -> Pairs:
    """The normalisation along some of the letters of the pairs, whose arrays are taken in the order of the pairs."""
    if not layer.flag("batch_norm", False):
        return lambda values: values
    axes = str(layer.value("normalize_axes") or layer.value("bias_axes") or "".join(c for c in letters if c in out))
    if any(c not in letters for c in axes):
        raise Refusal(f"'normalize_axes' = {axes!r:.40} are not axes of its weights")
    shape = tuple(sizes[c] if c in axes else 1 for c in letters)
    own = {name: array for name, array in layer.weights.items() if "/" not in name}
    return lambda values: _affine(layer, own, values, shape) / math.sqrt(inputs)


LAYERS: dict[str, Entry] = {
    "QDenseT": dense,
    "QEinsumDenseT": by_equation,
    "QConvT1D": convolution(1),
    "QConvT2D": convolution(2),
}

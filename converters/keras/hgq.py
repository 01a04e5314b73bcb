"""HGQ2 layers: Keras' own between casts of what enters and of what leaves, with quantised weights. HGQ2 is not needed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nn2hls.converters.keras import hgq_quantisers, layers, norms, products, windows
from nn2hls.converters.keras.activations import activation
from nn2hls.converters.keras.emit import Activation, Entry, Prepared, Site
from nn2hls.converters.keras.hgq_quantisers import Quantiser
from nn2hls.converters.keras.hgq_weights import quantiser_arrays
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import arith, einsum, quantised, reductions
from nn2hls.converters.lower.value import Refusal, Tensor, plain
from nn2hls.ops import Merge, Reduction

# What counts bits while a layer is trained, and how often it is used.
IDLE = ("enable_ebops", "ebops_factor", "beta0", "parallelization_factor", "normalize_axes", "activity_regularizer")


def quantiser(layer: Layer, part: str) -> Quantiser | None:
    """The quantiser of a part, None where the layer has none there or does not use it."""
    config = layer.value(f"{part}_conf")
    used = part not in ("iq", "oq") or layer.flag(f"enable_{part}", config is not None)
    return hgq_quantisers.read(config) if used else None


def cast_of(layer: Layer, part: str, found: Quantiser | None) -> Callable[..., Tensor] | None:
    """The cast of a part, from the arrays of the layer."""
    return hgq_quantisers.cast(found, quantiser_arrays(layer, part))


def between(layer: Layer, compute: Callable[[Site], Tensor]) -> Prepared:
    """What ``compute`` makes of the cast operand, cast."""
    layer.read.update(IDLE)
    inside, outside = quantiser(layer, "iq"), quantiser(layer, "oq")

    def lower(site: Site) -> Tensor:
        entered, left = cast_of(layer, "iq", inside), cast_of(layer, "oq", outside)

        def at(place: Site) -> Tensor:
            x = place.tensor
            return compute(place if entered is None else replace(place, operands=(entered(place.step("iq"), x),)))

        return site.then(Activation("oq", left), at)

    return lower


def _plain(layer: Layer, kind: str) -> Layer:
    """The layer as one of Keras, without its activation."""
    return replace(layer, kind=kind, config={**layer.config, "activation": "linear"})


Weights = dict[str, np.ndarray]


def _quantised(layer: Layer, raw: Weights) -> Weights:
    """Kernel and bias as the layer computes with them."""
    found = {}
    for name, array in raw.items():
        part = f"{name[0]}q"
        found[name] = hgq_quantisers.constants(quantiser(layer, part), quantiser_arrays(layer, part), array)
    return found


def _own(layer: Layer) -> Weights:
    return {name: layer.weights[name] for name in ("kernel", "bias") if name in layer.weights}


def _product(kind: str, keras: Entry, weights: Callable[[Layer], Weights] = _own) -> Entry:
    """A layer of products; ``weights``: what is quantised, in float32."""

    def entry(layer: Layer) -> Prepared:
        function, inner = activation(layer), _plain(layer, kind)
        for part in ("kq", "bq"):
            quantiser(layer, part)
        prepared = keras(inner)

        def product(site: Site) -> Tensor:
            inner.weights = _quantised(layer, weights(layer))
            found = prepared(replace(site, exact=True))
            assert isinstance(found, Tensor)
            return found

        return between(layer, lambda site: site.then(function, product))

    return entry


def _single(layer: Layer) -> Weights:
    return {name: np.asarray(array, np.float32) for name, array in layer.weights.items() if "/" not in name}


def _dense_norm(layer: Layer) -> Weights:
    """A normalisation of what enters, as the layer folds it into its kernel."""
    w, epsilon = _single(layer), np.float32(layer.number("epsilon", default=1e-3))
    factor = w.get("gamma", np.float32(1)) / np.sqrt(w["moving_variance"] + epsilon)
    return {"kernel": factor[:, None] * w["kernel"], "bias": w["bias"] - w["moving_mean"] @ w["kernel"]}


def _einsum_norm(layer: Layer) -> Weights:
    """A normalisation of what leaves, with the epsilon of Keras itself, which the layer takes."""
    w, text = _single(layer), str(layer.value("equation"))
    layer.read.update(("epsilon", "center", "scale"))
    kernel_axes, out = text.replace("...", "").split(",")[1].split("->")
    normed = layer.value("normalize_axes") or layer.value("bias_axes") or ""
    axes = "".join(c for c in kernel_axes if c in normed)
    ordered = "".join(c for c in out if c in normed)
    if "bias" not in w or axes != ordered:
        raise Refusal("a QEinsumDenseBatchnorm without bias, or with normalised axes in another order in kernel and result")
    factor = w.get("gamma", np.float32(1)) / np.sqrt(w["moving_variance"] + np.float32(norms.EPSILON))
    offset = (-w["moving_mean"] * factor).reshape(_cast_shape(layer, normed, out, w["bias"].shape))
    return {"kernel": np.einsum(f"{kernel_axes},{axes}->{kernel_axes}", w["kernel"], factor), "bias": w["bias"] + offset}


def _cast_shape(layer: Layer, normed: str, out: str, bias: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in which the offset meets the bias."""
    if set(layer.value("bias_axes") or "") != set(normed):
        raise Refusal("'normalize_axes' other than 'bias_axes' are not offered")
    return bias


def batch_norm(layer: Layer) -> Prepared:
    """x * scale + offset, both quantised, of a normalisation by running statistics."""
    axes = layer.integers("axis") if layer.value("axis") is not None else (-1,)
    epsilon = np.float32(layer.number("epsilon", default=1e-3))
    layer.read.update(("center", "scale"))
    for part in ("kq", "bq"):
        quantiser(layer, part)

    def compute(site: Site) -> Tensor:
        w, x = _single(layer), site.tensor
        factor = w.get("gamma", np.float32(1)) / np.sqrt(w["moving_variance"] + epsilon)
        offset = w.get("beta", np.float32(1)) - w["moving_mean"] * factor  # one without a beta, as the layer has it
        both = _quantised(layer, {"kernel": factor, "bias": offset})
        shape = [n if k in x.axes(axes) else 1 for k, n in enumerate(x.shape)]
        return arith.scale(replace(site, exact=True), x, *(both[name].reshape(shape) for name in ("kernel", "bias")))

    return between(layer, compute)


def _merge(compute: Callable[[Layer, Site, list[Tensor]], Tensor]) -> Entry:
    """A merge of operands each of which has a quantiser."""

    def entry(layer: Layer) -> Prepared:
        layer.read.update((*IDLE, "enable_iq"))
        configs, outside = layer.value("iq_confs") or [], quantiser(layer, "oq")
        inside = [hgq_quantisers.read(config) for config in configs]

        def lower(site: Site) -> Tensor:
            left, xs = cast_of(layer, "oq", outside), list(site.tensors)
            if inside and len(inside) != len(xs):
                raise Refusal(f"it has {len(inside)} quantisers for {len(xs)} values")
            for k, found in enumerate(inside):
                cast = cast_of(layer, "iq/quantizers/quantizer" + (f"_{k}" if k else ""), found)
                xs[k] = xs[k] if cast is None else cast(site.step(f"iq{k}"), xs[k])
            return site.then(Activation("oq", left), lambda at: compute(layer, at, xs))

        return lower

    return entry


def _merged(kind: Merge) -> Callable[[Layer, Site, list[Tensor]], Tensor]:
    return lambda layer, site, xs: arith.merge(site, kind, xs, ranks=False)


def _average(layer: Layer, site: Site, xs: list[Tensor]) -> Tensor:
    """The sum times the power of two that is next to one over the number of operands."""
    total = arith.merge(site.step("sum"), Merge.ADD, xs, ranks=False)
    return arith.scale(quantised.Exact(site), total, 2.0 ** round(math.log2(1 / len(xs))))


def _dot(layer: Layer) -> Prepared:
    """Products summed over an axis of each of two operands."""
    prepared = products.dot(_plain(layer, "Dot"))
    layer.read.update(("axes", "normalize"))

    def compute(_: Layer, site: Site, xs: list[Tensor]) -> Tensor:
        found = prepared(replace(site, operands=tuple(xs), keywords=("",) * len(xs)))
        assert isinstance(found, Tensor)
        return found

    return _merge(compute)(layer)


def _einsum(layer: Layer) -> Prepared:
    """Two operands by an equation."""
    text = layer.value("equation")
    if not isinstance(text, str):
        raise Refusal(f"'equation' = {text!r:.80} is no equation")

    def compute(_: Layer, site: Site, xs: list[Tensor]) -> Tensor:
        if len(xs) != 2:
            raise Refusal(f"an equation of {len(xs)} operands is not offered; give two at a time")
        return einsum.einsum(site, einsum.Equation.read(text, [(1, *plain(x)) for x in xs]), *xs)

    return _merge(compute)(layer)


POOLS = tuple(f"{name}Pooling{n}D" for name in ("Max", "Average", "GlobalMax", "GlobalAverage") for n in (1, 2, 3))


def _pool(kind: str) -> Entry:
    """A pooling of what is cast."""

    def entry(layer: Layer) -> Prepared:
        prepared = windows.LAYERS[kind](_plain(layer, kind))
        layer.read.update(("pool_size", "strides", "padding", "data_format", "keepdims"))

        def compute(site: Site) -> Tensor:
            found = prepared(site)
            assert isinstance(found, Tensor)
            return found

        return between(layer, compute)

    return entry


def _sum(*, mean: bool) -> Entry:
    """A sum over axes, times a power of two."""

    def entry(layer: Layer) -> Prepared:
        axes, keepdims = layer.integers("axes"), layer.flag("keepdims", False)
        given = 1.0 if mean else layer.number("scale", default=1.0)

        def compute(site: Site) -> Tensor:
            x = site.tensor
            over = x.axes(axes)
            factor = 2.0 ** round(math.log2(1 / math.prod(x.shape[k] for k in over))) if mean else given
            quantised.exponent(factor)
            if factor == 1:
                return reductions.reduce(site, x, Reduction.SUM, over, keepdims=keepdims)
            total = reductions.reduce(site.step("sum"), x, Reduction.SUM, over, keepdims=keepdims)
            return arith.scale(quantised.Exact(site), total, factor)

        return between(layer, compute)

    return entry


def quantizer(layer: Layer) -> Prepared:
    """A quantiser that is a layer."""
    found = hgq_quantisers.read(layer.value("config"))

    def lower(site: Site) -> Tensor:
        cast = cast_of(layer, "", found)
        return site.tensor if cast is None else cast(site, site.tensor)

    return lower


LAYERS: dict[str, Entry] = {
    "QDense": _product("Dense", layers.dense),
    "QBatchNormDense": _product("Dense", layers.dense, _dense_norm),
    "QEinsumDense": _product("EinsumDense", products.einsum_dense),
    "QEinsumDenseBatchnorm": _product("EinsumDense", products.einsum_dense, _einsum_norm),
    **{f"QConv{n}D": _product(f"Conv{n}D", windows.LAYERS[f"Conv{n}D"]) for n in (1, 2, 3)},
    **{f"Q{kind}": _pool(kind) for kind in POOLS},
    "QBatchNormalization": batch_norm,
    "QAdd": _merge(_merged(Merge.ADD)),
    "QSubtract": _merge(_merged(Merge.SUB)),
    "QMultiply": _merge(_merged(Merge.MUL)),
    "QDot": _dot,
    "QEinsum": _einsum,
    "QMaximum": _merge(_merged(Merge.MAX)),
    "QMinimum": _merge(_merged(Merge.MIN)),
    "QAveragePow2": _merge(_average),
    "QSum": _sum(mean=False),
    "QMeanPow2": _sum(mean=True),
    "Quantizer": quantizer,
}

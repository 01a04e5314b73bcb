"""HGQ2's recurrent layers: every product of a step between casts; what functions there are is in the casts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nn2hls.converters.keras import hgq, hgq_quantisers
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.hgq_inner import inner
from nn2hls.converters.keras.hgq_quantisers import Quantiser
from nn2hls.converters.keras.hgq_weights import quantiser_arrays
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import activations, arith, quantised, recurrent
from nn2hls.converters.lower.linear import dense
from nn2hls.converters.lower.moves import slice_
from nn2hls.converters.lower.recurrent import Body, Cell
from nn2hls.converters.lower.shape import concatenate
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.converters.lower.value import Site as LowerSite
from nn2hls.ops import Merge

Cast = Callable[[LowerSite, Tensor], Tensor]
PARTS: Mapping[str, tuple[str, ...]] = {
    "QSimpleRNN": ("iq", "kq", "rkq", "bq", "sq", "paq"),
    "QGRU": ("iq", "kq", "rkq", "bq", "sq", "paq", "praq", "rhq"),
}
_FUNCTIONS = ("linear", "relu")  # which are exact
_READ = ("use_bias", "reset_after", "enable_iq", "seed", "parallelization_factor")


class _Step:
    """The parts of a cell, once its arrays are there."""

    def __init__(self, layer: Layer, found: Mapping[str, Quantiser | None]) -> None:
        self.cell = inner(layer, "cell")
        own = {part: quantiser_arrays(self.cell, part) for part in found}
        self.casts = {part: hgq_quantisers.cast(q, own[part]) for part, q in found.items() if q and part not in _WEIGHTS}
        self.weights = {
            name: hgq_quantisers.constants(found[part], own[part], self.cell.weights[name])
            for part, name in _WEIGHTS.items()
            if name in self.cell.weights
        }
        self.activation = str(layer.value("activation", default="linear"))
        self.gates = str(layer.value("recurrent_activation", default="linear"))
        self.units = self.weights["recurrent_kernel"].shape[0]
        self.features = self.weights["kernel"].shape[0]

    def cast(self, part: str, site: LowerSite, x: Tensor) -> Tensor:
        """x as a quantiser has it."""
        found = self.casts.get(part)
        return x if found is None else found(site, x)

    def sum(self, site: LowerSite, parts: Sequence[tuple[Tensor, np.ndarray]], bias: np.ndarray | None) -> Tensor:
        """Products of several tensors in one exact sum."""
        tensors, matrices = zip(*parts, strict=True)
        both = tensors[0] if len(tensors) == 1 else concatenate(site.step("operands"), list(tensors), 0)
        return dense(quantised.Exact(site), both, np.concatenate(matrices), bias)

    def bias(self, row: int, cut: slice, *, both: bool = False) -> np.ndarray | None:
        """A part of the biases; those of a GRU that resets after its product are two rows, of which one or the sum is meant."""
        bias = self.weights.get("bias")
        if bias is None or bias.ndim == 1:
            return None if bias is None else np.asarray(bias[cut])
        return np.asarray(bias[:, cut].sum(axis=0) if both else bias[row, cut])


_WEIGHTS = {"kq": "kernel", "rkq": "recurrent_kernel", "bq": "bias"}


def _function(site: LowerSite, x: Tensor, name: str) -> Tensor:
    return x if name == "linear" else activations.function(site, x, name)


def _simple(step: _Step, layer: Layer) -> Cell:
    """h' = f(cast(x @ W + cast(h) @ U + b))."""
    body = Body()
    x, h = body.input("element", (step.features,)), body.input("before", (step.units,))
    state = step.cast("sq", body.step("state"), h)
    total = step.sum(
        body.step("sum"), [(x, step.weights["kernel"]), (state, step.weights["recurrent_kernel"])], step.bias(0, slice(None))
    )
    return body.cell(_function(body.step("hidden"), step.cast("paq", body.step("paq"), total), step.activation))


def _gru(step: _Step, layer: Layer) -> Cell:
    """h' = z * s + (1 - z) * n with s = cast(h), gates z and r cast, and n as :func:`recurrent.gru_cell` has it, cast."""
    body, units, after = Body(), step.units, layer.flag("reset_after", True)
    x, h = body.input("element", (step.features,)), body.input("before", (units,))
    kernel, own = step.weights["kernel"], step.weights["recurrent_kernel"]
    first, last = slice(0, 2 * units), slice(2 * units, None)
    s = step.cast("sq", body.step("state"), h)
    total = step.sum(body.step("gate_sum"), [(x, kernel[:, first]), (s, own[:, first])], step.bias(0, first, both=after))
    gates = _function(body.step("gates"), total, step.gates)
    both = step.cast("praq", body.step("praq"), gates)
    z, r = (slice_(body.step(word), both, (cut,)) for word, cut in (("update", slice(0, units)), ("reset", slice(units, None))))
    if after:
        memory = step.sum(body.step("recurrent"), [(s, own[:, last])], step.bias(1, last))
        back = arith.multiply(body.step("remembered"), r, step.cast("rhq", body.step("rhq"), memory))
        new = step.sum(body.step("element_sum"), [(x, kernel[:, last])], step.bias(0, last))
        candidate = arith.add(body.step("candidate_sum"), new, back)
    else:
        kept = step.cast("rhq", body.step("rhq"), arith.multiply(body.step("kept"), r, s))
        candidate = step.sum(body.step("candidate_sum"), [(x, kernel[:, last]), (kept, own[:, last])], step.bias(0, last))
    n = step.cast("paq", body.step("paq"), _function(body.step("candidate"), candidate, step.activation))
    rest = arith.scale(quantised.Exact(body.step("rest")), z, -1.0, 1.0)
    old, fresh = arith.multiply(body.step("old"), z, s), arith.multiply(body.step("fresh"), rest, n)
    return body.cell(arith.merge(body.step("hidden"), Merge.ADD, [old, fresh]))


_CELLS: Mapping[str, Callable[[_Step, Layer], Cell]] = {"QSimpleRNN": _simple, "QGRU": _gru}


def _checked(layer: Layer) -> dict[str, Quantiser | None]:
    """The quantisers of a layer.

    Raises:
        Refusal: It asks for what HGQ2 itself cannot compute, or what is no fixed point.
    """
    layer.read.update((*hgq.IDLE, *_READ))
    if layer.flag("enable_oq", False):
        raise Refusal("'enable_oq' in a recurrent layer is what HGQ2 itself cannot compute; put a Quantizer behind it")
    if layer.flag("stateful", False):
        raise Refusal("'stateful' keeps its state from event to event; every event starts anew here: give it the states")
    for key in ("activation", "recurrent_activation"):
        if layer.value(key, default="linear") not in _FUNCTIONS:
            way = "leave it linear, for the quantisers are a hard tanh and a hard sigmoid"
            raise Refusal(f"'{key}' = {layer.value(key)!r:.40} is no function of fixed point; {way}")
    return {part: hgq_quantisers.read(layer.value(f"{part}_conf")) for part in PARTS[layer.kind]}


def repeated(layer: Layer) -> Prepared:
    """QSimpleRNN and QGRU."""
    found = _checked(layer)
    backwards, sequences, states = (layer.flag(key, False) for key in ("go_backwards", "return_sequences", "return_state"))

    def lower(site: Site) -> Tensor | Sequence[Tensor]:
        step = _Step(layer, found)
        sequence, *initial = site.tensors
        entering = {name: a[:, None] for name, a in quantiser_arrays(step.cell, "iq").items()}
        cast = hgq_quantisers.cast(found["iq"], entering)
        entered = sequence if cast is None else cast(site.step("iq"), sequence)
        run = recurrent.recurrence(site, entered, _CELLS[layer.kind](step, layer), initial, reverse=backwards)
        output = run.turned(site) if sequences else run.last(site)
        return [output, run.last(site.step("state0"), 0)] if states else output

    return lower


LAYERS: dict[str, Entry] = dict.fromkeys(PARTS, repeated)

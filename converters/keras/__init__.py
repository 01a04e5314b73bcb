"""Keras models to graphs: ``.keras``, ``.h5``, ``.json`` with weights, and live models; no file is executed."""

from __future__ import annotations

import heapq
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nn2hls.converters.keras import files as keras_files
from nn2hls.converters.keras import hgq1, hgq_layers, pquant_attention
from nn2hls.converters.keras import live as keras_live
from nn2hls.converters.keras.binarised import LAYERS as BINARISED
from nn2hls.converters.keras.calls import Call, Ref
from nn2hls.converters.keras.emit import Entry, Names, Prepared, Site
from nn2hls.converters.keras.fitting import fitting
from nn2hls.converters.keras.h5 import Weights
from nn2hls.converters.keras.layers import LAYERS, TAKES
from nn2hls.converters.keras.model import Layer, Model, parse
from nn2hls.converters.keras.operations import OPERATIONS, tf_function
from nn2hls.converters.keras.options import not_understood
from nn2hls.converters.keras.qkeras import LAYERS as QKERAS
from nn2hls.converters.keras.qkeras_recurrent import LAYERS as QKERAS_RECURRENT
from nn2hls.converters.keras.refusals import refusal
from nn2hls.converters.keras.weights import attach
from nn2hls.converters.lower.moves import unstack
from nn2hls.converters.lower.shape import stack
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.converters.plugins import brought
from nn2hls.errors import LimitError, ModelError, UnsupportedError
from nn2hls.graph.builder import Builder
from nn2hls.graph.graph import Graph, Origin
from nn2hls.guard import MAX_LAYERS
from nn2hls.ops import Input

_TAKES = {**TAKES, **hgq_layers.TAKES}
# The values of a call's results; None when a layer before it could not be lowered.
Results = tuple[Tensor | None, ...]


def load_file(path: str | os.PathLike[str], weights: str | os.PathLike[str] | None = None) -> Graph:
    """The graph of a ``.keras``, ``.h5`` or ``.json`` file, with the weights in the file itself or in ``weights``.

    TensorFlow and Keras are not needed, and nothing in the files is run.

    Raises:
        ModelError: A file is missing, damaged or contradicts itself; the message names the file or the layer.
        UnsupportedError: Lists every layer that is not supported, with the reason.
    """
    saved = keras_files.read(path, weights)
    return convert(saved.config, saved.weights, saved.version, saved.where)


def load_live(model: Any) -> Graph:
    """The graph of a Sequential or functional model in memory, whatever its back end; errors as for :func:`load_file`."""
    if keras_live.has_quantisers(model):  # these quantisers are layers in layers, which only a file tells apart
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.keras")
            model.save(path)
            saved = keras_files.read(path)
        keras_live.mark_compressed(model, saved.config["config"].get("layers"))
        return convert(saved.config, saved.weights, saved.version, str(model.name))
    live = keras_live.read(model)
    return convert(live.config, live.weights, live.version, live.where)


def convert(config: dict[str, Any], weights: Weights, version: int, where: str) -> Graph:
    """Lower a config with its weights; ``where`` is the place for messages about the whole model."""
    model = parse(config, version, where)
    prepared, problems = _prepare(model)
    if problems:
        raise _refused(problems, where)
    attach(model, weights)
    lowering = _Lowering(model, prepared)
    graph = lowering.graph(where)
    if lowering.problems or graph is None:
        raise _refused(lowering.problems, where)
    return graph


def _prepare(model: Model) -> tuple[dict[Layer, Prepared], dict[Layer, str]]:
    """Check every layer's class and config before any is lowered, so that all problems are reported at once."""
    prepared, problems = dict[Layer, Prepared](), dict[Layer, str]()
    for layer in model.leaves():
        table = _table(layer)
        problems[layer] = "" if brought("keras", layer.custom) else refusal(layer, [*table, "InputLayer"])
        extra = ", ".join(
            sorted({name for call in layer.calls for name in call.settings if name not in _TAKES.get(layer.kind, ())})
        )
        if extra and not problems[layer]:
            problems[layer] = f"called with {extra}, which is not supported"
        if not problems[layer] and layer.kind != "InputLayer" and not isinstance(layer.inner, Model):
            try:
                with fitting(layer):
                    prepared[layer] = table[layer.kind](layer)
            except Refusal as reason:
                problems[layer] = str(reason)
    return prepared, {layer: reason for layer, reason in problems.items() if reason}


def _table(layer: Layer) -> Mapping[str, Entry]:
    """The layers of its package, or the operations; of a plug-in the one alone."""
    if own := brought("keras", layer.custom):
        return {layer.kind: own.entry}
    if layer.of_hgq:
        return hgq_layers.LAYERS
    if layer.of_hgq_1:
        return hgq1.LAYERS
    if layer.of_pquant:
        return pquant_attention.LAYERS
    own = {**LAYERS, **QKERAS, **QKERAS_RECURRENT, **BINARISED, "TFOpLambda": tf_function}
    return OPERATIONS if layer.is_operation else own


def _refused(problems: Mapping[Layer, str], where: str) -> UnsupportedError:
    listed = "".join(f"\n  {layer.where} ({layer.kind}): {reason}" for layer, reason in problems.items())
    count = f"{len(problems)} of its layers" if len(problems) > 1 else "One of its layers"
    return UnsupportedError(f"{count} cannot be converted:{listed}", where=where)


class _Lowering:
    """Runs the calls of a model in an order in which their operands are known."""

    def __init__(self, model: Model, prepared: Mapping[Layer, Prepared]) -> None:
        self.model, self.prepared = model, prepared
        self.builder, self.names = Builder(), Names(model)
        self.problems: dict[Layer, str] = {}
        self.called: set[Layer] = set()
        self.calls = 0
        self.proxy = any(layer.of_hgq_1 for layer in model.leaves())  # all weights are quantised

    def graph(self, where: str) -> Graph | None:
        by_name = {layer.name: layer for layer in self.model.layers}
        inputs = [self._input(by_name[ref.layer]) for ref in self.model.inputs]
        outputs = self._run(self.model, inputs, where)
        for layer in self.prepared:
            reason = next(not_understood(layer), "")
            if reason and layer in self.called:
                self.problems.setdefault(layer, reason)
        known = [x.node for x in outputs if x is not None]
        return self.builder.build(known) if len(known) == len(outputs) else None

    def _input(self, layer: Layer) -> Tensor:
        shape = layer.value("batch_shape", "batch_input_shape")
        if not isinstance(shape, (list, tuple)) or not all(
            isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in shape[1:]
        ):
            fix = "Give the Input layer a fixed shape, and build the model before saving it."
            raise ModelError(f"Its input shape {shape} is not fixed.", where=layer.where, fix=fix)
        node = self.builder.add(self.names.take(layer), Input(tuple(shape[1:])), (), Origin(layer.name, "InputLayer"))
        return Tensor(node, self.builder.shape(node))

    def _run(self, model: Model, inputs: Sequence[Tensor | None], where: str) -> Results:
        """The model's outputs when it is called with ``inputs``."""
        if len(inputs) != len(model.inputs):
            raise ModelError(f"It is called with {len(inputs)} values and takes {len(model.inputs)}.", where=where)
        values: dict[tuple[str, int], Results] = {(r.layer, 0): (name,) for r, name in zip(model.inputs, inputs, strict=True)}
        calls = [(x, k, call) for x in model.layers for k, call in enumerate(x.calls)]
        for place in _order(calls, set(values)):
            layer, k, call = calls[place]
            values[layer.name, k] = self._call(layer, call, values)
        return tuple(_value(values, ref, where) for ref in model.outputs)

    def _call(self, layer: Layer, call: Call, values: Mapping[tuple[str, int], Results]) -> Results:
        self.calls += 1
        if self.calls > MAX_LAYERS:
            what = f"Layers are called more than {MAX_LAYERS} times, calls within inner models counted."
            raise LimitError(what, where=layer.where, fix="Make the network smaller.")
        operands = [_value(values, o, layer.where) if isinstance(o, Ref) else o for o in call.operands]
        if isinstance(layer, Model):
            return self._run(layer, [o if isinstance(o, Tensor) else None for o in operands], layer.where)
        known = tuple(o for o in operands if o is not None)
        if len(known) < len(operands):
            return (None,)
        if isinstance(layer.inner, Model):
            return self._at_each_step(layer, layer.inner, known)
        name, settings = self.names.take(layer), call.settings
        exact = self.proxy and bool(layer.weights)
        site = Site(self.builder, self.names, layer, known, name, settings=settings, keywords=call.keywords, exact=exact)
        try:
            with fitting(layer):
                found = self.prepared[layer](site)
            self.called.add(layer)
            results = (found,) if isinstance(found, Tensor) else tuple(found)
            if results[0] in [o for o in operands if isinstance(o, Tensor)]:
                self.builder.dropped(self.names.base(layer), results[0].node, listed=True)
            return results
        except Refusal as reason:
            self.problems[layer] = str(reason)
            return (None,)

    def _at_each_step(self, layer: Layer, inner: Model, operands: Sequence[Any]) -> Results:
        """A model at every place of the first axis, as TimeDistributed has it."""
        site = Site(self.builder, self.names, layer, tuple(operands), self.names.take(layer))
        try:
            if reason := next(not_understood(layer), ""):
                raise Refusal(reason)
            steps = unstack(site, site.tensor, 0)
            found = [self._run(inner, [step], layer.where) for step in steps]
            results = [[x for x in parts if x is not None] for parts in zip(*found, strict=True)]
            if any(len(parts) < len(steps) for parts in results):
                return (None,) * len(results)
            return tuple(stack(site, parts, 0) for parts in results)
        except Refusal as reason:
            self.problems[layer] = str(reason)
            return (None,)


def _order(calls: Sequence[tuple[Layer, int, Call]], given: set[tuple[str, int]]) -> Iterator[int]:
    """Places of the calls in rounds through the list, each call in the first round in which all that it reads is there.

    Raises:
        ModelError: A call reads what is never computed.
    """
    readers = defaultdict[tuple[str, int], list[int]](list)
    missing = []
    for place, (layer, k, call) in enumerate(calls):
        sources = {(r.layer, r.call) for r in call.refs} | ({(layer.name, k - 1)} if k else set())
        missing.append(len(sources - given))
        for source in sources - given:
            readers[source].append(place)
    ready = [(0, place) for place, count in enumerate(missing) if not count]
    done = set[int]()
    while ready:
        turn, place = heapq.heappop(ready)
        done.add(place)
        yield place
        for reader in readers[calls[place][0].name, calls[place][1]]:
            missing[reader] -= 1
            if not missing[reader]:
                heapq.heappush(ready, (turn + (reader < place), reader))
    stuck = next((k for k in range(len(calls)) if k not in done), None)
    if stuck is not None:
        raise ModelError("What it is called with is never computed.", where=calls[stuck][0].where)


def _value(values: Mapping[tuple[str, int], Results], ref: Ref, where: str) -> Tensor | None:
    results = values.get((ref.layer, ref.call))
    if results == (None,):  # it could not be lowered
        return None
    if results is not None and ref.output >= len(results):
        raise ModelError(
            f"It asks '{ref.layer}' for more than the {len(results)} it gives here, such as the scores of an attention.",
            where=where,
            fix="Leave the other results out of the model.",
        )
    if results is None:
        raise ModelError(
            f"It refers to result {ref.output} of call {ref.call} of '{ref.layer}', which is not there.", where=where
        )
    return results[ref.output]

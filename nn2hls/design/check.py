"""Looks at a new design: what its back end carries out, and on a few events whether derived types keep what they promise."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from nn2hls.compare.converted import Converted
from nn2hls.compare.scores import sqnr
from nn2hls.config.config import Config
from nn2hls.emulate.overflow import OverflowLog
from nn2hls.emulate.quantise import quantise
from nn2hls.errors import ConfigError
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.reference import run_float
from nn2hls.passes.base import Context
from nn2hls.passes.signals import away_from_poles, seeded
from nn2hls.targets import find_part
from nn2hls.targets.family import AMD

EVENTS = 256
NUMBERS = 1 << 22  # of the widest value in all events: larger networks are tried on fewer
ENOUGH = 40.0  # dB: more than this is told by `compare` alone
MARGIN = 20.0  # dB: what the roundings of many layers may take from the target of each


def check_backend(config: Config, graph: Graph) -> None:
    """Refuses what the back end does not carry out.

    Raises:
        ConfigError: With the way out.
    """
    vendor = find_part(config.part).family.vendor
    if vendor != AMD and config.backend in ("Vivado", "Vitis"):
        raise ConfigError(f"{config.backend} builds for no part of {vendor}.", where="Part", fix="Use Backend: Verilog.")
    if config.io_type == "io_stream" and config.backend == "Bambu":
        fix = "Use Vitis, Vivado or Verilog; or io_parallel."
        raise ConfigError("Bambu's core has no streams.", where="IOType", fix=fix)
    if config.io_type == "io_stream" and config.interface == "hls4ml":
        fix = "Leave Interface out."
        raise ConfigError("Interface hls4ml is a layout of arrays, not of streams.", where="Interface", fix=fix)
    if config.io_type != "io_stream" and config.interface == "axis":
        fix = "Set IOType: io_stream, or leave Interface out."
        raise ConfigError("Interface axis is for designs in streams: a token is a beat.", where="Interface", fix=fix)
    if config.backend == "Verilog" and config.interface == "hls4ml":
        fix = "Leave Interface out: the Verilog's ports are wide vectors. Or use Vitis, Vivado or Bambu."
        raise ConfigError("Interface hls4ml is for C++, not for Backend Verilog.", where="Interface", fix=fix)
    if node := next((n for n in graph if n.op.written), None):
        _check_written(config, node)
    if config.backend == "Bambu" and (node := next((n for n in graph if n.turn is not None), None)):
        fix = "Leave it out, so that the steps stand side by side; or use Verilog, Vitis or Vivado."
        raise ConfigError("TimeStepLoopParallelism: Off is not offered for Bambu.", where=node.origin.layer, fix=fix)


_UNWRITTEN = {  # by a setting, its value: what has no ports for weights, and the way out
    ("backend", "Bambu"): ("Bambu's core", "Use Backend: Vitis, Vivado or Verilog"),
    ("io_type", "io_stream"): ("A design in streams", "Use IOType: io_parallel"),
    ("interface", "hls4ml"): ("The interface of hls4ml", "Leave Interface out"),
}


def _check_written(config: Config, node: Node) -> None:
    """Refuse weights that can be written where nothing has ports for them."""
    for (setting, value), (who, fix) in _UNWRITTEN.items():
        if getattr(config, setting) == value:
            what = f"{who} has no ports through which Weights: reloadable could be written."
            raise ConfigError(what, where=node.origin.layer or node.name, fix=f"{fix}, or leave Weights out.")


def missed(design: Converted, context: Context) -> Iterator[str]:
    """A line for each output that keeps too little of its signal, on calibration data or on seeded events.

    A design with types of the user's own is left alone, but for those of inputs: these are taken as they are.
    """
    if any(r.level == "given" for node in design.graph if node.inputs for r in design.types.get(node.name, ())):
        return
    inputs = _inputs(design, context)
    with np.errstate(all="ignore"):
        floats = run_float(design.float_graph, inputs)
        usual = run_float(away_from_poles(design.float_graph), inputs)
        fixed, _ = design.run(inputs)
    source = "the calibration data" if context.calibration is not None else "seeded inputs"
    nodes = [design.graph[o] for o in design.graph.outputs]
    for node, name, values in zip(nodes, design.float_graph.outputs, fixed, strict=True):
        target = context.settings(node).target_sqnr
        known = np.isfinite(floats[name]) & (floats[name] == usual[name])  # where no function is undefined
        kept = sqnr(floats[name][known], node.whole(values)[known]) if known.any() else None
        if kept is not None and kept < min(ENOUGH, target - MARGIN) and math.isfinite(kept):
            yield (
                f"{name}: on {source} it keeps {kept:.0f} dB, where the types of each layer were derived for {target:g} dB. "
                "`nn2hls compare` names the layer that loses it and the bits that mend it."
            )


def _inputs(design: Converted, context: Context) -> list[np.ndarray]:
    """A few events of each input, within its type and rounded to it, so that the other types are judged alone."""
    arrays = context.calibration if context.calibration is not None else seeded(design.float_graph, context)
    events = min(EVENTS, max(1, NUMBERS // max(math.prod(n.shape) for n in design.graph)))
    kinds = design.graph.inputs
    mantissas = (
        quantise(np.asarray(a[:events], dtype=np.float64), n, OverflowLog()) for a, n in zip(arrays, kinds, strict=True)
    )
    return [np.asarray(m.astype(np.float64) * n.result_type.step) for m, n in zip(mantissas, kinds, strict=True)]

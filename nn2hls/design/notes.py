"""What a conversion has to say about the config it was given."""

from __future__ import annotations

from collections import defaultdict

from nn2hls.config.config import Config
from nn2hls.emit.ports import Interface, hls4ml_interface
from nn2hls.graph.graph import Fate, Graph


def config_notes(config: Config) -> list[str]:
    """Notes on what the config means, and on what its tool makes no use of."""
    return [*_auto_notes(config), *_stream_notes(config), *_part_notes(config), *_solver_notes(config)]


def model_notes(config: Config, graph: Graph) -> list[str]:
    """Notes on layers that are not what they are in training, and on settings of a layer that undo each other."""
    mean = [f"{gone.layer}: {gone.why}." for gone in graph.absent if gone.fate is Fate.MEAN]
    return [*mean, *_turn_notes(config, graph), *_state_notes(graph)]


def _state_notes(graph: Graph) -> list[str]:
    """Layers that keep states from event to event."""
    kept = defaultdict[str, list[str]](list)
    for state, output in graph.states.items():
        kept[graph[state].origin.layer or state].append(f"output {output} is input {state} of the next event")
    how = "zeros begin anew. predict(x) without them runs event after event; registers around the design: docs/recurrent.md"
    return [f"{layer}: it keeps its states between events: {', '.join(pairs)}; {how}." for layer, pairs in kept.items()]


def _turn_notes(config: Config, graph: Graph) -> list[str]:
    """Positions side by side that wait for the same multipliers."""
    if config.io_type != "io_stream":
        return []
    notes = []
    for node in graph:
        asked = config.settings_of(node)
        if "reuse" in node.op.uses and len(node.shape) > 1 and asked.reuse > 1 and (asked.positions or 1) > 1:
            what = f"{asked.positions} positions at once take turns at the multipliers that ReuseFactor {asked.reuse} shares"
            mend = "it grows and is no faster. Leave ParallelizationFactor or ReuseFactor out."
            notes.append(f"{node.origin.layer or node.name}: {what}: {mend}")
    return notes


def interface_of(config: Config, graph: Graph, notes: list[str]) -> Interface | None:
    """The ports that Interface asks for, with a note on their names; None where they are nn2hls's own."""
    if config.interface != "hls4ml":
        return None
    found = hls4ml_interface(graph)
    names = ", ".join(found.outputs)
    notes.append(f"Interface: the outputs are called {names}, as hls4ml numbers the layers that nn2hls sees.")
    if any(gone.fate is Fate.CONSTANT for gone in graph.absent):
        what = "Interface: hls4ml numbers the constants of an ONNX file and what it makes of them, too"
        notes.append(f"{what}; if a wrapper of it calls an output otherwise, change the name there.")
    return found


def _auto_notes(config: Config) -> list[str]:
    """What ``auto`` of results means in a file that hls4ml wrote."""
    default = config.model_level.precision.get("result")
    layers = (*config.layer_types.values(), *config.layer_names.values())
    results = [level.precision["result"].value for level in layers if "result" in level.precision]
    if default is None or not default.default or None not in results:
        return []
    return [
        "Model: Precision: default: `auto` of inputs and weights means it, as in hls4ml. Results with `auto` keep TargetSQNR "
        "within MaxWidth, where hls4ml takes as many bits as could be needed; raise these two under Model to have as many."
    ]


def _stream_notes(config: Config) -> list[str]:
    """What is for streams alone."""
    if config.io_type == "io_stream":
        return []
    levels = (config.model_level, *config.layer_types.values(), *config.layer_names.values())
    asked = [x.settings["positions"] for x in levels if "positions" in x.settings]
    unused = [f"{s.where}: ParallelizationFactor" for s in asked if s.value != 1]
    unused += ["FifoDepths"] if config.fifo != "fast" else []
    return [f"{what} has no effect without IOType: io_stream." for what in unused]


def _part_notes(config: Config) -> list[str]:
    from nn2hls.targets import find_part

    if config.backend == "Bambu":
        return _bambu_notes(config)
    if config.backend == "Verilog":
        return []
    if config.part.lower() != find_part(config.part).name:
        return []
    return [f"Part: {config.part} names no package; Vivado and Vitis want the whole name, like xcvu13p-flga2577-2-e."]


def _solver_notes(config: Config) -> list[str]:
    """What DistributedArithmetic is without the library that shares most."""
    from nn2hls.extras import has_solver, missing

    levels = (config.model_level, *config.layer_types.values(), *config.layer_names.values())
    asked = any("strategy" in x.settings and x.settings["strategy"].value == "DistributedArithmetic" for x in levels)
    if not asked:
        deep = [x.settings["adder_depth"] for x in levels if "adder_depth" in x.settings]
        return [f"{s.where}: AdderDepth has no effect without Strategy: DistributedArithmetic." for s in deep if s.value]
    if has_solver():
        return []
    what = "alkaid is missing; its graph of additions would be taken where it is smaller than ours, which is seldom"
    return [f"Strategy: {what} (docs/verilog.md). {missing('da')}"]


def _bambu_notes(config: Config) -> list[str]:
    """What Bambu, or the estimate for it, makes no use of."""
    from nn2hls.targets.bambu import is_device_of, named_device

    notes = []
    if config.clock_uncertainty is not None:
        notes.append("ClockUncertainty: Bambu has none; its delays hold what it keeps. Lower ClockPeriod for a reserve.")
    if config.bambu_device and not is_device_of(named_device(config.bambu_device), config.part):
        notes.append(f"BambuDevice: Bambu builds for {config.bambu_device}; the estimate stays that of {config.part}.")
    if config.interface == "hls4ml":
        notes.append("Interface: the core that Bambu builds has a port per element in either case.")
    return notes

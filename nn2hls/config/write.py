"""Writes a config as YAML that reads back as the same config."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from nn2hls.arith.fixed import FixedType
from nn2hls.config.config import Config
from nn2hls.config.decision import Scaling
from nn2hls.config.items import Level
from nn2hls.config.keys import LEVEL_KEYS
from nn2hls.graph.graph import Graph

_MODEL_KEYS = {
    ".keras": "KerasModel",
    ".h5": "KerasModel",
    ".hdf5": "KerasModel",
    ".json": "KerasJson",
    ".onnx": "OnnxModel",
    ".pt2": "PytorchModel",
}


def to_yaml(config: Config, graph: Graph, folder: Path) -> str:
    """The text of a YAML file that will stand in ``folder``, with the layers of ``graph`` named in comments."""
    inside = {"OnnxModel": config.live} if isinstance(config.live, bytes) else {}
    return yaml.safe_dump({**inside, **to_dict(config, folder)}, sort_keys=False, width=120) + _layers(graph)


def to_dict(config: Config, folder: Path) -> dict[str, Any]:
    """The same as plain data, which :func:`nn2hls.config.read.read_config` takes; paths start at ``folder``."""

    def relative(path: Path | None) -> str | None:
        return None if path is None else Path(os.path.relpath(path, folder)).as_posix()

    model_key = _MODEL_KEYS.get(config.model.suffix.lower(), "Model") if config.model else "Model"
    share = config.clock_uncertainty
    top: dict[str, Any] = {
        model_key: relative(config.model),
        "KerasH5": relative(config.weights),
        "InputShape": _lists(config.input_shape),
        "InputData": relative(config.input_data),
        "OutputPredictions": relative(config.output_predictions),
        "OutputDir": config.output_dir.as_posix(),
        "ProjectName": config.project_name,
        "Part": config.part,
        "BambuDevice": config.bambu_device,
        "ClockPeriod": int(config.clock_period) if config.clock_period == int(config.clock_period) else config.clock_period,
        "ClockUncertainty": None if share is None else f"{100 * share:.6g}%",
        "IOType": config.io_type,
        "FifoDepths": config.fifo if config.fifo != "fast" else None,
        "Backend": config.backend,
        "Interface": config.interface if config.interface != "nn2hls" else None,
        "InputScaling": _unnamed({name: _scaling(one, relative) for name, one in config.input_scaling.items()}),
        "Score": config.score and ({config.score.kind: list(config.score.of)} if config.score.of else config.score.kind),
        "Threshold": _unnamed(config.threshold),
        "Output": _unnamed(config.output),
    }
    model = {"Precision": "auto", "ReuseFactor": 1, "Strategy": "Latency", **_level(config.model_level)}
    if config.calibration:
        model["Calibration"] = relative(config.calibration)
    hls: dict[str, Any] = {"Model": model}
    for name, levels in (("LayerType", config.layer_types), ("LayerName", config.layer_names)):
        if levels:
            hls[name] = {level.name if name == "LayerType" else key: _level(level) for key, level in levels.items()}
    return {**{k: v for k, v in top.items() if v is not None}, "HLSConfig": hls}


def _unnamed(by_name: Mapping[str, Any]) -> Any:
    """The value alone where it stands for all; None without any."""
    return by_name[""] if "" in by_name else dict(by_name) or None


def _scaling(scaling: Scaling, relative: Callable[[Path | None], str | None]) -> Any:
    return relative(scaling.path) or {"mean": _lists(scaling.mean), "std": _lists(scaling.std)}


def _lists(numbers: Any) -> Any:
    return [_lists(n) for n in numbers] if isinstance(numbers, tuple) else numbers


def _level(level: Level) -> dict[str, Any]:
    names = {k.field: k.name for k in reversed(LEVEL_KEYS) if k.field}
    block: dict[str, Any] = {names[field]: s.value for field, s in level.settings.items() if field != "calibration"}
    words = {word: _said(s.value) for word, s in level.precision.items() if not s.default}
    defaults = {_said(s.value) for s in level.precision.values() if s.default}  # one, and ``auto`` of layers means it
    if words or defaults:
        block = {"Precision": {"default": defaults.pop(), **words} if defaults else _short(words), **block}
    return block


def _said(kind: FixedType | None) -> str:
    return "auto" if kind is None else str(kind)


def _short(words: Mapping[str, str]) -> str | dict[str, str]:
    """One type when all words of a bare type have it and no other is there."""
    bare = set(words.values())
    return bare.pop() if set(words) == {"input", "weight", "bias", "result"} and len(bare) == 1 else dict(words)


def _layers(graph: Graph) -> str:
    lines = [
        "",
        "# Settings of single layers go under HLSConfig: LayerName:, those of a class of layers under LayerType:.",
        "# Layers:",
    ]
    for node in graph:
        size = "x".join(map(str, node.shape)) or "1"
        name = node.name if node.name.isprintable() else ascii(node.name)
        lines.append(f"#   {name}: {node.origin.kind or type(node.op).__name__}, gives {size}")
    return "\n".join(lines) + "\n"

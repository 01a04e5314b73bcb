"""The data of a test bench: mantissas under a first line that says so, and values as hls4ml writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from nn2hls.data.formats import MANTISSAS
from nn2hls.graph.graph import Graph, Node

INPUTS, ANSWERS, MODEL = "tb_input_features", "tb_output_predictions", "tb_model_predictions"


def heads(graph: Graph) -> dict[str, str]:
    """The first lines of the files of mantissas, by file: how many of which type stand in a line."""
    return {INPUTS: _head(graph.inputs), ANSWERS: _head(graph[o] for o in graph.outputs)}


def _head(nodes: Iterable[Node]) -> str:
    return f"{MANTISSAS} " + ", ".join(f"{int(np.prod(n.shape))} of {n.result_type}" for n in nodes)


def bench_files(graph: Graph, vectors: Mapping[str, np.ndarray], predictions: Iterable[np.ndarray]) -> dict[str, str]:
    """The files of ``tb_data``.

    Args:
        graph: A fixed graph.
        vectors: Mantissas, one array (events, *shape) per input and output name; none without.
        predictions: What the model itself answers to the events, one float array (events, *shape) per output, or none.
    """
    names = {INPUTS: [n.name for n in graph.inputs], ANSWERS: list(graph.outputs)}
    texts = {}
    for file, head in heads(graph).items():
        known = all(n in vectors for n in names[file])
        texts[file] = f"{head}\n" + (_rows([vectors[n] for n in names[file]]) if known else "")
    values = [np.asarray(p, dtype=np.float64) for p in predictions]
    if values:
        texts[MODEL] = _rows(values)
    return {f"tb_data/{file}.dat": text for file, text in texts.items()}


def _rows(arrays: Iterable[np.ndarray]) -> str:
    rows = np.concatenate([a.reshape(len(a), -1).astype(object) for a in arrays], axis=1)
    return "".join(" ".join(map(repr, row)) + "\n" for row in rows.tolist())

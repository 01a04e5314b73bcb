"""All passes, in order."""

from __future__ import annotations

from collections.abc import Callable

from nn2hls.graph.graph import Graph
from nn2hls.graph.verify import verify
from nn2hls.passes.base import Context, Pass
from nn2hls.passes.constants import propagate_constants
from nn2hls.passes.drop_casts import drop_casts
from nn2hls.passes.fold_scale import fold_scale
from nn2hls.passes.identities import drop_identities, drop_unused, fold_constants
from nn2hls.passes.join_moves import join_moves
from nn2hls.passes.resolve_types import resolve_types
from nn2hls.passes.shrink import shrink
from nn2hls.passes.sink_scales import sink_scales
from nn2hls.passes.threshold_scales import threshold_scales
from nn2hls.passes.unroll import unroll

PIPELINE: tuple[Pass, ...] = (
    Pass("fold-constants", fold_constants, False, "first, so that later passes see constants where the user wrote expressions"),
    Pass("drop-identities", drop_identities, False, "before folding: a no-op between two layers must not keep them apart"),
    Pass("join-moves", join_moves, False, "before folding: what is moved there and back must not keep two layers apart"),
    Pass("sink-scales", sink_scales, False, "before folding: factors behind casts become part of the scales that follow"),
    Pass("fold-scale", fold_scale, False, "before types, so that BatchNormalization costs no rounding of its own"),
    Pass("threshold-scales", threshold_scales, False, "after folding: scales that no layer before them takes in"),
    Pass("unroll", unroll, False, "before types, which all steps of a recurrent layer have in common"),
    Pass("drop-unused", drop_unused, False, "last of the float graph: what no output needs gets no type"),
    Pass("resolve-types", resolve_types, True, "the float graph becomes the fixed graph"),
    Pass("drop-casts", drop_casts, True, "after types, which say what a cast would change"),
    Pass("propagate-constants", propagate_constants, True, "after rounding, which makes more zeros and constants"),
    Pass("shrink", shrink, True, "last: neurons whose readers took them as constants are read by nobody any more"),
)


def run_passes(graph: Graph, context: Context, *, typed: bool, after: Callable[[str, Graph], None] | None = None) -> Graph:
    """Run the passes of the float stage or of the fixed stage, verifying the graph after each.

    Args:
        graph: The graph of the stage before.
        context: Settings and calibration data.
        typed: Which stage.
        after: Called with each pass's name and its graph.
    """
    for step in PIPELINE:
        if step.typed == typed:
            graph = step.run(graph, context)
            verify(graph, typed=typed)
            if after is not None:
                after(step.name, graph)
    return graph

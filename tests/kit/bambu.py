"""Designs for Bambu."""

from nn2hls.design.design import convert

PART = "xc7vx690tffg1930-3"


def bambu(graph, layers=None, model=None, **more):
    """The design of a config for Bambu."""
    levels = {"Model": model or {}, "LayerName": layers or {}}
    return convert(graph, {"Backend": "Bambu", "Part": PART, **more, "HLSConfig": levels})

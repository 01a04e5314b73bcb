"""Every layer of HGQ2 that is read, and why the others are not."""

from __future__ import annotations

from collections.abc import Mapping

from nn2hls.converters.keras import hgq, hgq_attention, hgq_lut, hgq_recurrent, hgq_tables
from nn2hls.converters.keras.emit import Entry

LAYERS: Mapping[str, Entry] = {
    **hgq.LAYERS,
    **hgq_tables.LAYERS,
    **hgq_lut.LAYERS,
    **hgq_attention.LAYERS,
    **hgq_recurrent.LAYERS,
}
# Arguments of a call that a layer takes.
TAKES: Mapping[str, tuple[str, ...]] = hgq_attention.TAKES
_SPIKES = "spiking layers answer by the times of spikes, which a design does not have; build it from QDense and QSimpleRNN"
_CELL = "a cell alone is not offered; use the layer that repeats it, QSimpleRNN or QGRU"
REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("QLIF", "QLIFCell", "QSimpleSNN", "QSimpleSNNCell"), _SPIKES),
    **dict.fromkeys(("QGRUCell", "QSimpleRNNCell", "QRNN"), _CELL),
}

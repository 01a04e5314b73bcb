"""``design.plot``: figures of matplotlib, each from what the design itself, its estimate and its comparison say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from nn2hls.compare.converted import Converted
from nn2hls.data.arrays import Data, check_inputs
from nn2hls.design.text import layer_rows

if TYPE_CHECKING:
    from nn2hls.compare.comparison import Comparison
    from nn2hls.estimate.result import Estimate


class Known(Converted, Protocol):
    """What a design says of itself."""

    def estimate(self) -> Estimate:
        """How large and how fast it is."""

    def compare(self, x: Data, y: Any = None) -> Comparison:
        """Fixed against float."""


class DesignPlots:
    """Figures of one design; each method returns a ``matplotlib.figure.Figure``, to be shown or saved.

    Data is one array (events, *shape) per input, labels are as for :meth:`nn2hls.design.design.Design.compare`.

    Raises:
        ToolError: matplotlib is not installed.
    """

    def __init__(self, design: Known) -> None:
        self._design = design

    def network(self) -> Any:
        """The layers, with shapes and types."""
        from nn2hls.figures.diagram import network

        return network(layer_rows(self._design))

    def profile(self, x: Data | None = None) -> Any:
        """Constants before and after, and with data the values, as boxes before the ranges of their types."""
        from nn2hls.compare.plots import profile

        return profile(self._design, None if x is None else self._inputs(x))

    def resources(self) -> Any:
        """What each layer takes of the part."""
        return self._design.estimate().plot.resources()

    def timeline(self) -> Any:
        """When each layer works on one event."""
        return self._design.estimate().plot.timeline()

    def scatter(self, x: Data, classes: Sequence[str] = ()) -> Any:
        """Fixed answers against float ones; ``classes`` names the values of an output."""
        from nn2hls.compare.plots import run, scatter

        return scatter(run(self._design, self._inputs(x)), classes)

    def roc(self, x: Data, y: Any, classes: Sequence[str] = ()) -> Any:
        """ROC curves of each class, float and fixed."""
        from nn2hls.compare.plots import curves, run

        return curves(run(self._design, self._inputs(x), y), classes)

    def confusion(self, x: Data, y: Any, classes: Sequence[str] = ()) -> Any:
        """Labels against answers, float and fixed."""
        from nn2hls.compare.plots import confusion, run

        return confusion(run(self._design, self._inputs(x), y), classes)

    def noise(self, x: Data) -> Any:
        """Signal to quantisation noise of each layer."""
        return self._design.compare(x).plot.noise()

    def _inputs(self, x: Data) -> list[Any]:
        return check_inputs(self._design.graph, x, events=True)

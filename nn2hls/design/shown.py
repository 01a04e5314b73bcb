"""How a design shows itself: in a line, as text, in a notebook, and as figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nn2hls.design.text import layer_rows, layer_table
from nn2hls.text import plural

if TYPE_CHECKING:
    from nn2hls.design.plots import DesignPlots


class Shown:
    """The faces of a design, which is a :class:`nn2hls.design.plots.Known` with its config."""

    def __repr__(self) -> str:
        own: Any = self
        size = plural(len(own.graph.nodes), "layer")
        config = own.config
        return f"<Design {config.project_name}: {size}, {config.part}, {config.clock_period:g} ns, {config.backend}>"

    def __str__(self) -> str:
        own: Any = self
        return layer_table(layer_rows(own)).rstrip()

    @property
    def plot(self) -> DesignPlots:
        """Figures of matplotlib: ``network()``, ``profile(x)``, ``resources()``, ``timeline()``, ``noise(x)``, ``scatter(x)``,
        ``roc(x, y)`` and ``confusion(x, y)``.
        """
        from nn2hls.design.plots import DesignPlots

        own: Any = self
        return DesignPlots(own)

"""How a design shows itself: in a line, as text, in a notebook, and as figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nn2hls.design.text import layer_rows, layer_table
from nn2hls.markup import Table, notebook
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
        return self.text()

    def text(self) -> str:
        """The layers with their types, and where these come from."""
        own: Any = self
        return layer_table(layer_rows(own)).rstrip()

    def _repr_html_(self) -> str:
        return notebook(repr(self), [self.summary()])

    def summary(self) -> Table:
        """What each layer is, computes and takes, and the whole: prints as a table, and is one in a notebook."""
        from nn2hls.estimate.result import NAMES, RESOURCES

        own: Any = self
        found = own.estimate()
        sizes = {x.name: x for x in found.layers}
        used = [r for r in RESOURCES if getattr(found.synthesised, r)]
        rows = []
        for row in layer_rows(own):
            shape, size = "x".join(map(str, row["shape"])), sizes.get(row["name"])
            known = [f"{getattr(size.synthesised, r):,}" for r in used] if size else [None] * len(used)
            counts = [f"{size.products:,}", *known, size.latency_cycles] if size else [None, *known, None]
            rows.append([row["name"], row["op"], shape or "scalar", row["type"], *counts])
        head = ["layer", "op", "shape", "type", "products", *(NAMES[r] for r in used), "clocks"]
        shares = [f"{NAMES[r]} {getattr(found.synthesised, r):,} ({found.utilisation[r]:.1%})" for r in used]
        speed = f"latency {found.latency_cycles:,} clocks = {found.latency_ns:g} ns, II {found.ii:,}"
        return Table(head, rows, foot=[f"{found.part.name}: {', '.join(shares) or 'wires alone'}; {speed}", *own.warnings])

    @property
    def plot(self) -> DesignPlots:
        """Figures of matplotlib: ``network()``, ``profile(x)``, ``resources()``, ``timeline()``, ``noise(x)``, ``scatter(x)``,
        ``roc(x, y)`` and ``confusion(x, y)``.
        """
        from nn2hls.design.plots import DesignPlots

        own: Any = self
        return DesignPlots(own)

"""What ``plot`` of a result offers: figures of its plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class EstimatePlots:
    """Figures of an estimate, from its plain data."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data

    def resources(self) -> Any:
        """What each layer takes of the part, after synthesis."""
        from nn2hls.figures.layers import resources

        return resources(self._data)

    def timeline(self) -> Any:
        """When each layer works on one event."""
        from nn2hls.figures.layers import timeline

        return timeline(self._data)


class ComparisonPlots:
    """Figures of a comparison, from its plain data."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data

    def noise(self) -> Any:
        """Signal to quantisation noise of each layer."""
        from nn2hls.figures.layers import noise

        return noise(self._data["layers"])

    def ranges(self) -> Any:
        """Values in float against what the types hold."""
        from nn2hls.figures.layers import ranges

        return ranges(self._data["layers"])

    def classes(self, names: Sequence[str] = (), output: int = 0) -> Any:
        """The share of each class that is answered rightly; of the output of this number, with labels."""
        from nn2hls.figures.answers import classes

        return classes(self._data["outputs"][output]["classes"], names)


class DesignsPlots:
    """Figures of many designs, from their plain data."""

    def __init__(self, designs: Sequence[Mapping[str, Any]], chosen: int | None = None) -> None:
        self._designs, self._chosen = designs, chosen

    def pareto(self) -> Any:
        """What designs are worth against what they cost, with the front."""
        from nn2hls.figures.designs import pareto

        return pareto(self._designs, self._chosen)


class ScanPlots(DesignsPlots):
    """Figures of a scan, from the JSON of its designs; ``labelled``: whether accuracies are by labels."""

    def __init__(self, designs: Sequence[Mapping[str, Any]], labelled: bool) -> None:
        super().__init__(designs)
        self._labelled = labelled

    def bits(self) -> Any:
        """Accuracy and size against the bits of a type."""
        return self._picture("bits")

    def reuse(self) -> Any:
        """Size and latency against the reuse factor."""
        return self._picture("reuse")

    def all(self) -> Any:
        """Both, as far as designs differ in them."""
        return self._picture("bits", "reuse")

    def _picture(self, *about: str) -> Any:
        from nn2hls.figures.scanned import picture

        return picture(self._designs, self._labelled, about)

"""The estimate as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from nn2hls.estimate.result import RESOURCES, Estimate, accuracy

NAMES = {"dsp": "DSP", "lut": "LUT", "ff": "FF", "bram": "BRAM18", "uram": "URAM"}


def table(result: Estimate) -> str:
    """Per layer that costs or takes something, then totals with their error bands: as the HLS tool and as synthesis counts."""
    return "\n".join([*_head(result), "", *_layers(result), "", *_totals(result)])


def _head(result: Estimate) -> list[str]:
    part = result.part
    latency = f"{result.latency_cycles} clocks = {result.latency_ns:g} ns"
    return [
        f"{part.name} (speed grade -{part.grade}, {part.family.title}), {result.clock_ns:g} ns, {result.tool}",
        f"latency {latency} ({accuracy(result)['report']['latency']}), initiation interval {result.ii}",
    ]


def _layers(result: Estimate) -> list[str]:
    head = ("layer", "products", *(NAMES[r] for r in RESOURCES), "clocks", "II")
    rows = [
        (x.name, f"{x.products:,}", *(f"{v:,}" for v in x.report.to_dict().values()), str(x.latency_cycles), str(x.ii))
        for x in result.layers
        if x.latency_cycles or x.products or any(x.report.to_dict().values())
    ]
    counted = "after yosys" if result.tool == "bambu" else "as an HLS report counts"
    return [f"per layer, {counted}:", *_align([head, *rows])]


def _totals(result: Estimate) -> list[str]:
    bands, used, have = accuracy(result), result.utilisation, result.part.available
    columns = [("after yosys", result.synthesised, bands["synthesised"])]
    if result.tool != "bambu":
        columns = [
            ("HLS report", result.report, bands["report"]),
            ("after synthesis", result.synthesised, bands["synthesised"]),
        ]
    rows = [("", *(cell for name, *_ in columns for cell in (name, "error")), "of the part")]
    for r in RESOURCES:
        share = f"{used[r]:.1%} of {have[r]:,}" if have[r] else "the part has none"
        rows.append((NAMES[r], *(cell for _, f, band in columns for cell in (f"{getattr(f, r):,}", band[r])), share))
    return _align(rows)


def _align(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns as wide as their widest cell: words to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    right = [all(row[i][:1].isdigit() for row in rows[1:]) and i > 0 for i in range(len(widths))]
    lines = ("  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)) for row in rows)
    return [line.rstrip() for line in lines]

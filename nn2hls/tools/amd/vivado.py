"""What Vivado says after logic synthesis: its texts on utilisation and timing, and the XML of ``export_design -flow``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nn2hls.tools.amd.text import decimal, name, read_report, read_xml, report_error, rows, version, whole
from nn2hls.tools.report import Figures, Resources

# Lines of report_utilization by what they count; 7-series parts have slices, later ones CLBs.
_LINES = {
    "lut": ("Slice LUTs", "CLB LUTs"),
    "ff": ("Slice Registers", "CLB Registers", "Registers"),
    "bram": ("Block RAM Tile",),
    "dsp": ("DSPs", "DSP Slices"),
    "uram": ("URAM",),
}
_COLUMNS = {"lut": ("Total LUTs",), "ff": ("FFs",), "dsp": ("DSP Blocks", "DSP48 Blocks", "DSP Slices"), "uram": ("URAM",)}
_TAGS = {"dsp": "DSP", "lut": "LUT", "ff": "FF", "bram": "BRAM", "uram": "URAM"}  # of the XML; there BRAM counts 18 Kbit


def read_utilization(path: Path) -> tuple[str, Resources]:
    """The release of Vivado and what the whole design takes; a Block RAM Tile is two units of 18 Kbit.

    Raises:
        ToolError: The file is missing or damaged.
    """
    text = read_report(path)
    used: dict[str, str] = {}
    for cells in rows(text):
        line = cells[0].strip().rstrip("*")
        if len(cells) > 1 and line not in used:  # the tables of single regions come later
            used[line] = cells[1].strip()
    found: dict[str, int | None] = {}
    for field, names in _LINES.items():
        line = next((n for n in names if n in used), "")
        if not line and field in ("lut", "ff"):
            raise report_error(path, f"it has no line '{names[0]}' or '{names[1]}'")
        if field == "bram" and line:
            tiles = decimal(used[line], path, line)
            found[field] = None if tiles is None else round(2 * tiles)
        else:
            found[field] = whole(used[line], path, line) if line else None
    return version(text), Resources(**found)


def read_hierarchy(path: Path) -> Mapping[str, Resources]:
    """What each module takes with all inside it, from ``report_utilization -hierarchical``; instances of one module are added.

    Raises:
        ToolError: The file is missing or damaged.
    """
    table = [[c.strip() for c in cells] for cells in rows(read_report(path))]
    head = next((cells for cells in table if cells[:2] == ["Instance", "Module"]), None)
    if head is None:
        raise report_error(path, "it has no table of instances and modules")
    places = {field: next((head.index(n) for n in names if n in head), None) for field, names in _COLUMNS.items()}
    blocks = [(head.index(kind), units) for kind, units in (("RAMB36", 2), ("RAMB18", 1)) if kind in head]
    found: dict[str, Resources] = {}
    for cells in table:
        if len(cells) != len(head) or cells is head or cells[0].startswith("("):  # a module without what is inside it
            continue
        values = {f: None if k is None else whole(cells[k], path, head[k]) for f, k in places.items()}
        values["bram"] = sum(units * (whole(cells[k], path, head[k]) or 0) for k, units in blocks) if blocks else None
        module = name(cells[1], path, "Module")
        found[module] = _added(found.get(module), Resources(**values))
    return found


def _added(one: Resources | None, other: Resources) -> Resources:
    if one is None:
        return other
    pairs = {f: (getattr(one, f), getattr(other, f)) for f in ("dsp", "lut", "ff", "bram", "uram")}
    return Resources(**{f: None if None in p else sum(p) for f, p in pairs.items()})


def read_slack(path: Path) -> float | None:
    """The worst slack of a setup path in ns, from ``report_timing_summary``; None when no path has a constraint.

    Raises:
        ToolError: The file is missing or damaged.
    """
    lines = [line.split() for line in read_report(path).splitlines()]
    for head, rule, values in zip(lines, lines[1:], lines[2:], strict=False):
        if head[:1] == ["WNS(ns)"] and rule and values:
            return decimal(values[0], path, "WNS(ns)")
    raise report_error(path, "it has no Design Timing Summary with WNS(ns)")


def read_export(path: Path, what: str) -> tuple[Figures, Mapping[str, Resources]]:
    """What ``export_design -flow syn`` or ``impl`` found: the design, and its modules where they are listed.

    Args:
        path: ``export_syn.xml``, ``export_impl.xml`` or ``<top>_export.xml``.
        what: ``synthesis`` or ``implementation``, for the figures' tool.

    Raises:
        ToolError: The file is missing or damaged.
    """
    root = read_xml(path)
    area = root.find("AreaReport/Resources")
    if area is None:
        raise report_error(path, "AreaReport/Resources is missing")
    texts = {field: area.findtext(tag) for field, tag in _TAGS.items()}
    for field in ("lut", "ff"):
        if texts[field] is None:
            raise report_error(path, f"AreaReport/Resources/{_TAGS[field]} is missing")
    clock = decimal(root.findtext("TimingReport/AchievedClockPeriod"), path, "AchievedClockPeriod")
    release = version(root.findtext("RunData/VIVADO_VERSION") or "")
    tool = " ".join(filter(None, ("vivado", release, what)))
    total = Resources(**{f: whole(t, path, _TAGS[f]) for f, t in texts.items()})
    modules: dict[str, Resources] = {}
    for module in root.iterfind("RtlModules/RtlModule"):
        own = module.find("Resources")
        if own is not None and module.get("IS_TOP") != "1" and module.get("TYPE") == "function":
            label = name(module.get("MODULENAME"), path, "MODULENAME")
            counts = {f: whole(own.get(tag, "0"), path, f"{tag} of {label}") for f, tag in _TAGS.items()}
            modules[label] = _added(modules.get(label), Resources(**counts))
    return Figures("synthesis", tool, total, clock_ns=clock), modules

"""Run every measurement and print one table; `python -m benchmarks predict wide` runs those alone."""

from __future__ import annotations

import argparse
import os
import sys

from benchmarks import exported, feed_forward, quantised, recurrent, seeds, tagger, verilog, wide
from benchmarks.measure import Row, table

PARTS = {
    "predict": tagger.predict_rows,
    "memory": tagger.memory_rows,
    "process": tagger.process_rows,
    "compile": tagger.compile_rows,
    "exported": exported.rows,
    "wide": wide.rows,
    "layers": feed_forward.speed_rows,
    "sizes": feed_forward.size_rows,
    "recurrent": recurrent.rows,
    "quantised": quantised.rows,
    "verilog": verilog.rows,
    "seeds": seeds.rows,
}


def main() -> int:
    """Exit code 1 when a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    chosen = parser.parse_args().parts or list(PARTS)
    unknown = [name for name in chosen if name not in PARTS]
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    rows: list[Row] = []
    for name in chosen:
        print(f"measuring: {name}", file=sys.stderr)
        rows += PARTS[name]()
    print(f"other work on the machine: load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print(table(rows))
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

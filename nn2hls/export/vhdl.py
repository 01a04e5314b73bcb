"""Names in VHDL: what is no basic identifier there stands between backslashes."""

from __future__ import annotations

import re

# IEEE 1076-2008, 15.10, and the words of PSL that it reserves.
_WORDS = (
    "abs access after alias all and architecture array assert assume assume_guarantee attribute begin block body buffer "
    "bus case component configuration constant context cover default disconnect downto else elsif end entity exit "
    "fairness file for force function generate generic group guarded if impure in inertial inout is label library "
    "linkage literal loop map mod nand new next nor not null of on open or others out package parameter port postponed "
    "procedure process property protected pure range record register reject release rem report restrict "
    "restrict_guarantee return rol ror select sequence severity shared signal sla sll sra srl strong subtype then to "
    "transport type unaffected units until use variable vmode vprop vunit wait when while with xnor xor"
)
RESERVED = frozenset(_WORDS.split(" "))
_BASIC = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*\Z")


def vhdl(name: str) -> str:
    """A Verilog or C identifier as VHDL writes it; the same name for all tools, whatever its case."""
    return name if _BASIC.match(name) and name.lower() not in RESERVED else f"\\{name}\\"

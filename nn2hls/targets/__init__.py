"""FPGA parts, device families and boards, as data."""

from nn2hls.targets.family import Cost, Family, family, in_bram
from nn2hls.targets.part import Part, boards, find_part, part_names

__all__ = ["Cost", "Family", "Part", "boards", "family", "find_part", "in_bram", "part_names"]

"""nn2hls: trained neural networks to verified, sized FPGA designs."""

from __future__ import annotations

__version__ = "0.1.0"

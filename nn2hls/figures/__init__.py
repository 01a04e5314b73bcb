"""Drawings of plain data with matplotlib: whoever has the numbers asks for one, nothing here computes any."""

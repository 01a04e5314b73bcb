"""The fixed graph on integers, bit for bit as the hardware computes it."""

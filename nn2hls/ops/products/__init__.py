"""Products with constants, laid out in hardware: bounds, straight lines, reused multipliers, sums in order."""

"""Numbers: fixed-point types and their one cast, ranges, wide integers, signed digits, functions."""

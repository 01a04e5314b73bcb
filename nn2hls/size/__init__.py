"""Reuse factors: what each layer may choose, what is saved, what fits into limits."""

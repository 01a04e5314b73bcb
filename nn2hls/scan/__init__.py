"""Precision and reuse against accuracy and resources, point by point."""

"""Types and reuse factors of every layer for accuracy, size and latency."""

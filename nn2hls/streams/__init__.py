"""Streams: which tokens travel between the layers of a graph, and by which rule each layer takes and gives them."""

"""What a layer means, once for all front ends: functions from operands, weights and numbers to nodes of the graph.

A front end reads a file, maps its names, attributes and weight layouts to these functions, and gives each a :class:`Site`.
Tensors are without batch axis, channels last where a layer has channels; constants are NumPy arrays that broadcast to them.
"""

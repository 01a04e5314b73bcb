"""The graph: immutable named nodes, the ops they are made of, how it is built and checked."""

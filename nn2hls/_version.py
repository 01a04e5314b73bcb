"""The version of nn2hls."""

__version__ = "0.1.0"

"""A layer for angles, as a plug-in of nn2hls."""

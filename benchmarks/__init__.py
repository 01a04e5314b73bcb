"""What nn2hls promises, measured: each figure is a time, a ratio or a count of this run, on this machine."""

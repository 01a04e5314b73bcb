"""What ``nn2hls.convert`` returns: a network with its types, and everything that can be asked of it."""

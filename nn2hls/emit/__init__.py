"""Graph to project: C++, test bench, scripts."""

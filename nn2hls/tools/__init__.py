"""External tools: finding, running and reading them."""

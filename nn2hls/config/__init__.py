"""What the user asks for: keys, values and types of a config, and what holds for one layer."""

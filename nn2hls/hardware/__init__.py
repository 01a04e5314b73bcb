"""What hardware is made of, before any tool: code, constants, operators and their schedule."""

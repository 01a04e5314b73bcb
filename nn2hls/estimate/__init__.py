"""How large and how fast a design will be, without a vendor tool."""

"""A design against its float network: answers, layers, who is to blame."""

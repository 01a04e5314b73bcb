"""How every artefact came about: states, and what made one of another."""

"""What every tool made of a project, side by side with the estimate."""

"""`photogenic explore`: a local page where a threshold is dragged, and counts and pictures follow."""

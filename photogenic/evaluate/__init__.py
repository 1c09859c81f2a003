"""Two sets of images, or more -> measures and votes -> a report."""

"""What the command line does to a review without serving it."""

"""Where tasks run: in this process, or in a supervised local pool. Knows nothing of pictures."""

"""Where tasks run: in this process, in a supervised local pool, or on Ray. Knows nothing of pictures."""

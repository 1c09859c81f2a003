"""The parts of a model, each trained, saved and marked on its own."""

"""The studio: a local page where a prompt becomes pictures of several models, side by side, as they form."""

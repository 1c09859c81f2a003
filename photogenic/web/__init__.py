"""The look of every report: one self-contained page, light and dark, without scripts or network."""

"""needles.parquet from what people decided, with the story of each decision."""

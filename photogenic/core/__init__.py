"""Ground floor: records, tables, files, configuration, statistics. Knows neither torch nor the web."""

"""The project's habits as tests: floors, types, style, freshness."""

"""Measures: what the city's contacts amount to, each figure with its formula, all recountable from the log."""

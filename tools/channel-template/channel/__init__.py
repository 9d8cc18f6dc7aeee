"""Postbox: say here in one sentence whose letters these are."""

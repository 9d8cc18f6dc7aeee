"""Figures are counted on both databases."""

from tests.storage.conftest import database, database_url

__all__ = ["database", "database_url"]

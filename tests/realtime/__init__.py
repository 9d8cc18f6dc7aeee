"""Tests of `realtime`."""

"""Tests of `channels.webchat`."""

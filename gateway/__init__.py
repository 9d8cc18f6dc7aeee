"""Assembles the house: the app, the performing of effects, the HTTP API, the desk's feed, the command line."""

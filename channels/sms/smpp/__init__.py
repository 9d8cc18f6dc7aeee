"""SMPP 3.4 (SMPP Developers Forum, 1999), the protocol of carriers elsewhere and of most aggregators."""

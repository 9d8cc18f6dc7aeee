"""What administrators change while the house runs: documents, each typed, validated, and kept in every version."""

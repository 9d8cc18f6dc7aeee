"""Programs that are assignees: they take offers as agents do, and are always shown as what they are."""

"""Recordings of calls: what may be recorded, writing as the call runs, finding and playing back."""

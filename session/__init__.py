"""The model of a session and its machine: pure, standard library only (the codec also imports msgpack)."""

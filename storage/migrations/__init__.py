"""The schema's history. One chain for the tables of all rooms, since they stand in one database."""

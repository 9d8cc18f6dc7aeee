"""Who is who: the log of identity in SQL, and the codes by which citizens prove their numbers."""

"""SQL: engine, metadata, migrations, the durable history of sessions; and the files that people send."""

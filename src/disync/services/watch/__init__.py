"""What is seen of tasks while they run: how they are, how fast, what has happened, and how far each table is."""

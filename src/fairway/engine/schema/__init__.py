"""What the database has on record of its migrations, and whether a release may serve on it."""

"""Backups of the application's database: taken, checked, kept, restored, always through PostgreSQL's own programs."""

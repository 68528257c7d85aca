"""The database's backups: taken, checked, kept, tried and copied elsewhere."""

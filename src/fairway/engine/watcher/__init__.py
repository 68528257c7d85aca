"""Look each minute whether visitors are served and the host is as recorded; remember it, and tell what changed."""

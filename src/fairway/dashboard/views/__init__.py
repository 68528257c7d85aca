"""What the pages show, decided from what the hosts and the archive said."""

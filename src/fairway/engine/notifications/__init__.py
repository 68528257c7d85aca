"""Tell people what happened on this host, through the program apprise."""

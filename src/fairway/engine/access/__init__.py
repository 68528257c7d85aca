"""Who may do what on this host: the ways in, what an administrator keeps, and the keys that open a connection."""

"""What this host tells Prometheus of itself."""

"""See how environments are, and be told: metrics and what is made of them."""

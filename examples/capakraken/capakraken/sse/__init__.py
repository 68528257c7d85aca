"""Live updates: who may hear of a change, and how it reaches them."""

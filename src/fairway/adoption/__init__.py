"""Introducing Fairway's path beside a set-up that runs already: what collides, and what to do, step by step."""

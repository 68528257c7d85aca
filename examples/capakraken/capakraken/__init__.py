"""Capacity planning: who works on what, week by week."""

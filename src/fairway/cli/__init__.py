"""The commands: each parses, calls, and shows. Decisions live in the packages they call."""

"""May this release go there? What was said of it, who says so, and what changes."""

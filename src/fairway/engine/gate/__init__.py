"""May this release run here? What the host goes by, what it believes, and how it decides."""

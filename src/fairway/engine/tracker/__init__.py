"""Ask an error tracker, while a release is watched, for the issues that are new in it."""

"""What a deployment stands on: packages, the deploy user, directory and settings, nginx's site.

Looked at and made as root, by an engine that is there for as long as a connection lasts.
"""

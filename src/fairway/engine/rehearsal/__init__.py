"""The rehearsal: a release's migrations on a copy of the database, and then the release before it on what they left.

Everything it starts is on a network of its own and is gone afterwards.
"""

"""The web dashboard: what ``fairway ui`` serves.

Each page has a module in :mod:`pages` (its routes, as HTML and as JSON), one in
:mod:`views` (what is shown, decided by pure functions over what the hosts said) and a
template. What the hosts say is kept by :mod:`observing`, so that a page never waits
for one.
"""

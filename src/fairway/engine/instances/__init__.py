"""The edge as a set of HAProxy processes, so that its image can be replaced while it serves.

The *base* container publishes the port. A process of another image, in a container
beside it, takes its listening socket over and serves from there; the base keeps the
socket without accepting from it. See docs/explanation/edge.md.
"""

"""What other runtimes and converters make of our files: `make runtimes` writes docs/runtimes.md.

``files`` makes the files of a net, ``asked`` asks a runtime in its own environment, where ``child`` answers by the one
file ``in_NAME`` of that runtime; ``page`` writes what was found.
"""

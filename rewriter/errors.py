"""Errors a caller can act on. Each message is one sentence: what, where, what to do."""


class RewriterError(Exception):
    """Any failure of this tool that is not a bug."""


class UsageError(RewriterError):
    """Bad options, an unreadable or unsupported model, an unknown input or output name (exit code 2)."""


class VerificationError(RewriterError):
    """A pass left a graph that breaks a structural invariant (exit code 1)."""

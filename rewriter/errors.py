"""Errors a caller can act on. Each message is one sentence: what, where, what to do."""


class RewriterError(Exception):
    """Any failure of this tool that is not a bug."""


class UsageError(RewriterError):
    """Bad options, an unreadable or unsupported model, an unknown input or output name (exit code 2)."""


class VerificationError(RewriterError):
    """A pass left a graph that breaks a structural invariant (exit code 1)."""


class ResultDiffers(RewriterError):
    """Onnxruntime gives something else for the rewritten model, or a framework for exported weights (exit code 1)."""


class DoesNotRun(RewriterError):
    """Onnxruntime does not load or run the rewritten model, though it runs the original (exit code 1)."""


class CouldNotValidate(RewriterError):
    """There is no verdict: a provider or data is missing, or the original does not run (exit code 3)."""


class Ended(RewriterError):
    """The process that did the work was ended: an engine aborted, hung, or took all memory (exit code 4)."""


class RunFailed(Exception):
    """A model does not load or run, of which ``validate`` makes a verdict; the text is onnxruntime's, shortened."""


def refused(fault: str) -> VerificationError:
    """The error that says whose fault it is."""
    return VerificationError(f"the rewriter's own verification refuses its result, a bug to be reported: {fault}")


def faulty(fault: str) -> type[RewriterError]:
    """The error for what ``validate`` finds wrong with a rewritten model."""
    return ResultDiffers if fault.startswith("differs") else DoesNotRun

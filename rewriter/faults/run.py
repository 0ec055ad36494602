"""Whether a model runs at all, asked only where the rewriter fails on it: a broken model may break anything."""

from rewriter.errors import CouldNotValidate, RunFailed
from rewriter.files import writer
from rewriter.files.light import LightModel
from rewriter.validation.inputs import InputRequest, make_feeds
from rewriter.validation.session import Session


def run_fault(model: LightModel, request: InputRequest) -> str | None:
    """What onnxruntime says when it loads the model, or runs it at no size that is tried; ``None`` if it runs.

    A model over 2 GiB, or whose inputs cannot be made up, is taken for one that runs.
    """
    whole = writer.serialized(model)
    if whole is None:
        return None
    try:
        session = Session(whole, "cpu", "disabled")
        session.run(make_feeds(session, request)[0])
    except RunFailed as error:
        return f"it does not run in onnxruntime ({error})"
    except CouldNotValidate as error:
        return str(error) if isinstance(error.__cause__, RunFailed) else None
    return None

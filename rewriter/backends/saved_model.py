"""SavedModels: the graph as TensorFlow has it, in a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from passes.layout.edit import Array
from rewriter.backends.base import Backend, Job, Run, Written
from rewriter.backends.packages import require, silence
from rewriter.errors import RunFailed
from rewriter.steps import step
from rewriter.validation.session import Feed, Level

SIGNATURE = "serving_default"


class SavedModel(Backend):
    """A folder that ``tf.saved_model.load`` reads, with the signature ``serving_default``.

    TensorFlow takes no names but letters, digits and underscores: others are changed, and told.
    """

    name = "tensorflow"
    levels: ClassVar[Mapping[Level, str]] = {"default": "TensorFlow's kernels"}
    is_folder = True

    def require(self, path: Path) -> None:
        """TensorFlow writes and runs it."""
        require(path)

    def write(self, job: Job, folder: Path, quantize: str | None) -> Written:
        """The function with its constants."""
        import tensorflow as tf

        from rewriter.backends.graph import traced

        made = folder / "saved_model"
        with silence(job.quiet):
            module, concrete, ends = traced(job.model, job.source)
            with step("TensorFlow writes a SavedModel"):
                tf.saved_model.save(module, str(made), signatures={SIGNATURE: concrete})
        return Written(made, made, {own: name for name, own in {**ends.inputs, **ends.outputs}.items() if name != own})

    def load(self, file: Path, level: Level) -> Run:
        """There are no other kernels."""
        import tensorflow as tf

        try:
            loaded = tf.saved_model.load(str(file))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise RunFailed(" ".join(str(error).split())) from error
        signature = loaded.signatures[SIGNATURE]

        def run(feed: Feed) -> dict[str, Array]:
            try:
                with silence(quiet=True):
                    results = signature(**{name: tf.constant(array) for name, array in feed.items()})
            except (ValueError, TypeError, tf.errors.OpError) as error:
                raise RunFailed(" ".join(str(error).split())) from error
            return {name: result.numpy() for name, result in results.items()}

        signature.owner = loaded  # which holds the function's constants
        return run


BACKEND = SavedModel()

"""TensorFlow runs a SavedModel by its signature ``serving_default``."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from tests.tools.elsewhere import loaded


class Loaded(loaded.Loaded):
    about = f"TensorFlow {tf.__version__}, CPU"

    def __init__(self, path: Path) -> None:
        if not tf.config.get_visible_devices("GPU") and tf.config.threading.get_intra_op_parallelism_threads() != 1:
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        self._model = tf.saved_model.load(str(path))  # which is freed with its last reference
        self._signature = self._model.signatures["serving_default"]
        (self._name,) = self._signature.structured_input_signature[1]

    def run(self, array: Any) -> Any:
        (found,) = self._signature(**{self._name: tf.constant(array)}).values()
        return found.numpy()

"""Files of weights and checkpoints, a format each, and what frameworks load of them."""

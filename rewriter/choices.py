"""What the options of the command line can be. Nothing is imported here: ``--help`` must not wait for onnx."""

TARGETS = ("nhwc", "nchw")
DIALECTS = ("function", "onnx")
LAYOUTS = ("nhwc", "nchw", "keep")
WEIGHT_LAYOUTS = ("ohwi", "hwio")
PROVIDERS = ("cpu", "cuda")

"""What exporters do to parameters before this tool sees them, and how to export so that they do not."""

from collections.abc import Iterator

from onnx import ModelProto, NodeProto

from rewriter.files.no_models import TORCH_EXPORT
from rewriter.weights.manifest.notes import some

ADVICE = f"export with {TORCH_EXPORT}, which keeps every parameter, or give the module's own with --checkpoint"
TF2ONNX_ADVICE = "give the model's own with --checkpoint"
RULE = "pkg.onnxscript.rewriter.rule_name"  # metadata of the nodes that PyTorch's exporter optimised


def folded_note(model: ModelProto) -> Iterator[str]:
    """A note on the layers into which the exporter folded a normalisation: their weights are no module's."""
    names = [node.input[1] for node in model.graph.node if len(node.input) > 1 and is_folded(node)]
    if names:
        advice = TF2ONNX_ADVICE if model.producer_name == "tf2onnx" else ADVICE
        yield f"{len(names)} layers have their normalisation folded in by the exporter ({some(names)}): {advice}"


def is_folded(node: NodeProto) -> bool:
    """Whether the parameters of a convolution or Dense are those of it and of its normalisation in one."""
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm"):
        return False
    rules = (entry.value for entry in node.metadata_props if entry.key == RULE)
    made_here = any(name.startswith("onnx::Conv") or name.endswith("weight_bias") for name in node.input[1:])
    return (
        made_here
        or any("BatchNorm" in rule for rule in rules)
        or any("/batchnorm/" in n for n in (node.name, *node.input[1:]))
    )

"""Which tests reach a place, which mutations survived once, and which change nothing that can be seen."""

from tests.support.mutations import Mutation

# Path, and the tests that reach it, the likeliest first: one command each
OPERATORS = "the operators of the file"
LAW = f"rules/test_law.py rules/test_labels.py -k {OPERATORS}"
LAYOUTS = "rules/test_perm.py rules/test_layout.py rules/test_recipe.py rules/test_reshape.py rules/test_orders.py"
SMALL = "pipeline/test_traps.py pipeline/test_sharing.py pipeline/test_shapes.py pipeline/test_captures.py"
NETS = "pipeline/test_models.py pipeline/test_roundtrip.py -k resnet or unet or swin"
PLANS = (
    "plan/test_cost.py plan/test_units.py plan/test_plan.py plan/test_products.py plan/test_roles.py plan/test_sizes.py"
)
SOLVED = "plan/test_reduced.py plan/test_oracle.py plan/test_plan.py plan/test_runtimes.py plan/test_unknown_rank.py"
COMMANDS = "pipeline/test_cli.py pipeline/test_usage_errors.py pipeline/test_child.py pipeline/test_errors.py"
PAGES = "report/test_terminal.py report/test_page.py report/test_document.py pipeline/test_report.py"
SAME = "validation/test_validate.py validation/test_verdict.py validation/test_heads.py validation/test_float16.py"
FILES = "pipeline/test_files.py pipeline/test_nothing_lost.py"
FOLDERS = ("files", "names")
RUNNERS = (
    "interop/test_conv.py interop/test_pools_and_norms.py interop/test_norms.py interop/test_recurrent.py "
    "interop/test_check.py"
)
REACHED: dict[str, tuple[str, ...]] = {
    "passes/rules/__init__.py": ("rules/test_plugin.py rules/test_operators.py",),
    "passes/rules/attention.py": (LAW, "pipeline/test_attention.py"),
    "passes/rules/contraction.py": (LAW, "plan/test_products.py rules/test_orders.py", SMALL),
    "passes/rules/control.py": ("pipeline/test_control.py pipeline/test_captures.py",),
    "passes/rules/labels.py": ("rules/test_labels.py plan/test_roles.py", "pipeline/test_interface.py"),
    "passes/rules/move.py": (
        "rules/test_wrong_rules.py rules/test_plugin.py rules/test_orders.py plan/test_runtimes.py", SMALL,
    ),
    "passes/rules/node.py": ("rules/test_plugin.py rules/test_orders.py", "rules/test_law.py", SMALL),
    "passes/rules/norm.py": (LAW, "rules/test_groups.py rules/test_dialect.py"),
    "passes/rules/quant.py": (LAW, "pipeline/test_quantised.py"),
    "passes/rules/reshape.py": (
        LAW, "rules/test_reshape.py rules/test_orders.py plan/test_roles.py pipeline/test_shapes.py",
    ),
    "passes/rules/rule.py": ("rules/test_wrong_rules.py rules/test_plugin.py", "rules/test_law.py"),
    "passes/rules/": (LAW, "rules/test_orders.py rules/test_operators.py", SMALL),
    "passes/layout/": (LAYOUTS, "rules/test_wrong_rules.py", SMALL, "plan/test_plan.py rules/test_law.py"),
    "passes/dialects/": (
        "rules/test_dialect.py rules/test_attributes.py rules/test_new_dialect.py pipeline/test_function_attributes.py",
        SMALL, "pipeline/test_roundtrip.py",
    ),
    "passes/ir/": (
        "pipeline/test_versions.py pipeline/test_names.py pipeline/test_captures.py", SMALL, "pipeline/test_verify.py",
        "pipeline/test_control.py pipeline/test_own_functions.py pipeline/test_dtypes.py", NETS,
    ),
    "passes/normalize/attention_pattern.py": ("pipeline/test_attention.py",),
    "passes/normalize/fuse_attention.py": ("pipeline/test_attention.py",),
    "passes/normalize/fuse_group_norm.py": ("rules/test_groups.py pipeline/test_roundtrip.py",),
    "passes/normalize/raise_opset.py": ("pipeline/test_raise_opset.py pipeline/test_attention.py",),
    "passes/normalize/": (
        SMALL, "pipeline/test_own_functions.py pipeline/test_control.py pipeline/test_names.py",
        "pipeline/test_sequences.py pipeline/test_verify.py rules/test_groups.py plan/test_runtimes.py", NETS,
    ),
    "passes/apply/hold_changes.py": ("plan/test_runtimes.py",),
    "passes/apply/widen_vectors.py": ("pipeline/test_widen.py",),
    "passes/apply/quantize_as_functions.py": ("pipeline/test_quantised.py",),
    "passes/apply/": (
        SMALL, "plan/test_products.py pipeline/test_own_functions.py pipeline/test_sequences.py",
        "pipeline/test_control.py pipeline/test_quantised.py pipeline/test_verify.py", NETS,
    ),
    "passes/plan/roles.py": ("plan/test_roles.py pipeline/test_interface.py",),
    "passes/plan/evidence.py": ("plan/test_roles.py pipeline/test_interface.py",),
    "passes/plan/interface.py": ("plan/test_roles.py pipeline/test_interface.py",),
    "passes/plan/situations.py": ("plan/test_runtimes.py plan/test_cost.py",),
    "passes/plan/explain.py": ("plan/test_plan.py pipeline/test_report.py",),
    "passes/plan/blame.py": ("plan/test_plan.py pipeline/test_report.py", PAGES),
    "passes/plan/": (PLANS, SMALL, SOLVED, "pipeline/test_control.py"),
    "passes/pipeline.py": ("pipeline/test_verify.py pipeline/test_traps.py pipeline/test_attention.py", NETS),
    "rewriter/__init__.py": ("pipeline/test_startup.py", COMMANDS),
    "rewriter/child.py": ("pipeline/test_child.py pipeline/test_ended.py",),
    "rewriter/steps.py": ("pipeline/test_child.py pipeline/test_ended.py", PAGES),
    "rewriter/progress.py": ("report/test_terminal.py", "pipeline/test_cli.py"),
    "rewriter/streams.py": ("pipeline/test_streams.py",),
    "rewriter/validate_cli.py": ("validation/test_validate_cli.py",),
    "rewriter/comparison.py": (COMMANDS, "validation/test_validate_cli.py validation/test_repro.py", PAGES),
    "rewriter/interface.py": (COMMANDS, "pipeline/test_roundtrip.py pipeline/test_report.py", "pipeline/test_names.py"),
    "rewriter/faults/": ("pipeline/test_broken_models.py",),
    "rewriter/files/": (FILES, "pipeline/test_streams.py"),
    "rewriter/report/data.py": ("rules/test_plugin.py pipeline/test_ranks.py", PAGES, "pipeline/test_cli.py"),
    "rewriter/report/": (PAGES, "pipeline/test_cli.py"),
    "rewriter/shapes/": (
        "pipeline/test_disputed.py pipeline/test_ranks.py pipeline/test_shapes.py plan/test_sizes.py",
        "pipeline/test_quantised.py pipeline/test_verify.py pipeline/test_errors.py pipeline/test_versions.py", NETS,
    ),
    "rewriter/validation/latency.py": ("validation/test_latency.py", "report/test_terminal.py", "pipeline/test_cli.py"),
    "rewriter/validation/interface.py": ("validation/test_validate_cli.py validation/test_inputs.py",),
    "rewriter/validation/layouts.py": (
        "validation/test_validate_cli.py validation/test_locate.py validation/test_inputs.py",
    ),
    "rewriter/validation/locate": ("validation/test_locate.py validation/test_repro.py",),
    "rewriter/validation/providers.py": ("validation/test_providers.py", "validation/test_validate_cli.py"),
    "rewriter/validation/repro.py": ("validation/test_repro.py validation/test_locate.py",),
    "rewriter/validation/tried.py": ("validation/test_validate_cli.py validation/test_locate.py",),
    "rewriter/validation/values.py": ("validation/test_locate.py validation/test_repro.py",),
    "rewriter/validation/inputs.py": ("validation/test_inputs.py validation/test_degenerate.py pipeline/test_cli.py",),
    "rewriter/validation/degenerate.py": ("validation/test_degenerate.py",),
    "rewriter/validation/wider.py": (
        "validation/test_wider.py", "validation/test_float16.py validation/test_planted.py",
    ),
    "rewriter/validation/": (
        SAME, "validation/test_degenerate.py validation/test_wider.py validation/test_inputs.py",
        "pipeline/test_cli.py", "validation/test_planted.py",
    ),
    "rewriter/weights/__init__.py": ("pipeline/test_startup.py", "weights/test_weights_cli.py"),
    "rewriter/weights/cli.py": ("weights/test_weights_cli.py",),
    "rewriter/frontends/": ("pipeline/test_front_ends.py pipeline/test_front_ends_refused.py",),
    "rewriter/weights/check/": ("weights/test_check.py", "interop/test_check.py"),
    **{f"rewriter/weights/check/{name}.py": (f"{RUNNERS} -k {name}",) for name in ("flax", "pytorch", "tensorflow")},
    "rewriter/weights/check/tflite.py": ("interop/test_tflite_layers.py", "interop/test_check.py -k tflite"),
    **{f"rewriter/weights/{name}/checkpoint.py": ("weights", "interop/test_checkpoints.py") for name in FOLDERS},
    "rewriter/weights/files/flax.py": ("weights", "interop/test_flax.py interop/test_loads.py"),
    "rewriter/weights/frameworks/": ("weights", "interop/test_conv.py interop/test_conv_transpose.py"),
    "rewriter/weights/files/keras.py": ("weights", "interop/test_keras_files.py"),
    "rewriter/weights/layers/loops.py": ("weights", "interop/test_recurrent.py"),
    "rewriter/weights/layers/norms.py": ("weights", "interop/test_norms.py"),
    "rewriter/weights/layers/recurrent.py": ("weights", "interop/test_recurrent.py"),
    "rewriter/weights/planned/shuffles.py": ("weights", "interop/test_shuffles.py"),
    "rewriter/weights/": ("weights", "interop/test_check.py interop/test_round_trips.py"),
    "rewriter/": (COMMANDS, "pipeline/test_report.py pipeline/test_verify.py pipeline/test_roundtrip.py", PAGES),
}  # fmt: skip

# Mutations that no test of 0.2.0 noticed: path, line as it stands, what is done to it, what it becomes
SURVIVED_ONCE: tuple[tuple[str, str, str, str], ...] = (
    ("passes/rules/index.py",
     'if node.attr("sorted", 1) and not layout.require_natural(axis).drop({axis}).is_natural:',
     "a changed order inside slices is not refused", 'if node.attr("sorted", 1) and not layout.require_natural(axis):'),
    ("passes/ir/exporter.py", "target.quantization_annotation.add().CopyFrom(note)",
     "quantization annotations lost", "continue"),
    ("passes/ir/declared.py", 'return imports_of(model).get("", 17)',
     "no default opset", 'return imports_of(model).get("", 0)'),
    ("passes/rules/norm.py", "if p[1:2] == (1,):", "BatchNormalization is respelled in any layout", "if False:"),
)  # fmt: skip

# Mistakes that a tool as this one is likely to make, written down as those above
BY_HAND: tuple[tuple[str, str, str, str], ...] = (
    ("rewriter/weights/layers/recurrent.py",
     'Part(name, of, "ifco") for name, of in (("kernel", "W"), ("recurrent_kernel", "R"), ("bias", SUMS))',
     "Keras's LSTM has the gates of ONNX",
     'Part(name, of, "iofc") for name, of in (("kernel", "W"), ("recurrent_kernel", "R"), ("bias", SUMS))'),
    ("rewriter/weights/frameworks/flax.py", 'return kind == "conv_transpose" and not self.transpose_kernel',
     "ConvTranspose's kernel is not flipped", "return False"),
    ("rewriter/weights/windows.py", "if total is None or pads[0] != total // 2:",
     "SAME is said for asymmetric padding", "if total is None:"),
    ("rewriter/weights/layers/settings.py", 'return decimal(layer.node.attrs.get("epsilon", 1e-5))',
     "ONNX's default of epsilon lost", 'return decimal(layer.node.attrs.get("epsilon", 1e-3))'),
    ("rewriter/weights/planned/storage.py", "return arranged(found.axis_perm, {}) if self.keep_order else found",
     "rows behind a BatchNormalization of a flattened map stay as they were",
     "return arranged(found.axis_perm, {}) if self.keep_order or any(t.inputs and t.inputs[0].op == "
     '"BatchNormalization" for t in node.inputs) else found'),
    ("rewriter/weights/planned/storage.py", "return arranged(found.axis_perm, {}) if self.keep_order else found",
     "vectors of a BatchNormalization of a flattened map stay as they were",
     'return arranged(found.axis_perm, {}) if self.keep_order or node.op == "BatchNormalization" else found'),
    ("rewriter/weights/tensors/quantised.py",
     "wide = (integers.astype(np.int32) - zero).astype(np.float32) * scale.astype(np.float32)  # as onnxruntime does",
     "the sign of a zero point", "wide = (integers.astype(np.int32) + zero).astype(np.float32) * scale"),
    ("rewriter/weights/layers/settings.py", 'settings["groups"] = attrs.get("group", 1)',
     "groups are the channels of each",
     'settings["groups"] = layer.parameters[0].shape[1] if attrs.get("group", 1) > 1 else 1'),
    ("rewriter/weights/tensors/letters.py",
     'sizes |= {"C": groups, "M": out // groups} if groups and "M" in letters else {"C": out}',
     "groups and the channels of each swapped",
     'sizes |= {"M": groups, "C": out // groups} if groups and "M" in letters else {"C": out}'),
    ("rewriter/weights/check/run.py", 'return compared(f"{name} in {self.row.label}", expected, found, allowed)',
     "--check compares a layer with itself", 'return compared(f"{name} in {self.row.label}", found, found, allowed)'),
)  # fmt: skip

# Mutations that change nothing that can be seen, by `Mutation.key`, and why
EQUIVALENT: dict[tuple[str, str, str], str] = {
    ("passes/ir/graph.py", "name, n = wish, 1", "1 to 2"): "names only have to be new: no number is promised",
    (
        "passes/normalize/attention_pattern.py",
        "features = [letter for letter in terms[1] if letter not in terms[0]]",
        "1 to 2",
    ): "the one letter of the values beside the probabilities' is the one of the result: anything else is no attention",
    (
        "rewriter/faults/functions.py",
        'return f"function {error.args[1][0][1]!r} calls itself"',
        "0 to 1",
    ): "each function of the circle calls itself",
}


def commands(mutation: Mutation) -> tuple[str, ...]:
    """The tests that reach a mutation's file: those of the longest path that begins as its path."""
    return REACHED[max((path for path in REACHED if mutation.path.startswith(path)), key=len)]

"""Results in the words of a toolchain: what its interpreter makes of them, how they are proved, and read back."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto

from passes.dialects.onnxruntime_cuda import OnnxRuntimeCudaDialect
from passes.dialects.respell import Words, unspell
from passes.dialects.spelled import MARK
from rewriter import UsageError, rewrite, validate
from rewriter.cli import main
from rewriter.dialect_file import dialect_of
from rewriter.spelling import STOOD_IN
from rewriter.validate_cli import main as compare
from rewriter.weights.cli import main as weights_main
from tests.support import acme
from tests.support.command import USAGE, error
from tests.support.engines import by_name
from tests.support.graphs import COMMITTED, ROOT, conv, count, model, node, op_types, random, weights

ACME = ROOT / "docs" / "acme.toml"
NETS = ("torch_resnet", "torch_mobilenet_v2", "keras_flatten", "torch_densenet")
HEAD = 'name = "acme"\ndomain = "acme.npu"\n'


def keys(a_model: ModelProto) -> set[tuple[str, str]]:
    return {(one.domain, one.op_type) for one in a_model.graph.node}


def marks(a_model: ModelProto) -> list[str]:
    return [entry.value for entry in a_model.metadata_props if entry.key == MARK]


def small(**attrs: object) -> ModelProto:
    """Conv, Relu, MaxPool, and a Conv of the user's."""
    nodes = [
        conv("x", "c"),
        node("Relu", ["c"], ["r"]),
        node("MaxPool", ["r"], ["p"], kernel_shape=[2, 3], strides=[2, 1], pads=[1, 0, 0, 2]),
        conv("p", "y", "v", **attrs),
    ]
    kernels = {"w": random(5, 3, 3, 3), "v": random(2, 5, 3, 3)}
    return model(nodes, {"x": (1, 3, 7, 11)}, {"y": (1, 2, 4, 11)}, kernels)


def file(folder: Path, text: str, name: str = "words.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("dialect", ["qonnx", "onnxruntime-cuda"])
def test_no_channels_first_file_in_words_of_channels_last(
    dialect: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such a file is read back without them; its interface is kept by ``--keep-io``."""
    onnx.save(small(), tmp_path / "net.onnx")
    words, back = tmp_path / "words.onnx", tmp_path / "back.onnx"
    common = ["--providers", "cpu", "-q"]
    assert main([str(tmp_path / "net.onnx"), "--to", "nchw", "--dialect", dialect, *common]) == USAGE
    assert f"--dialect {dialect} writes channels-last operators, and nchw is" in error(capsys)
    with pytest.raises(UsageError, match="leave it out"):
        rewrite(small(), "nchw", dialect=dialect)
    kept = [str(tmp_path / "net.onnx"), "--to", "nhwc", "--keep-io", "--dialect", dialect, "-o", str(words), *common]
    assert main(kept) == 0
    assert main([str(words), "--to", "nchw", "-o", str(back), *common]) == 0
    assert op_types(onnx.load(back)) == op_types(small())


@pytest.mark.parametrize("name", NETS)
def test_the_toolchain_computes_the_same(name: str) -> None:
    original = onnx.load(COMMITTED[name])
    result = rewrite(original, "nhwc", dialect=str(ACME))
    assert ("acme.npu", "Conv2D") in keys(result.model)
    assert {domain for domain, _ in keys(result.model)} == {"", "acme.npu"}
    assert not result.model.functions
    shapes = {v.name: [dim.dim_value or 1 for dim in v.type.tensor_type.shape.dim] for v in original.graph.input}
    feeds = {each: random(*shape).astype(np.float32) for each, shape in shapes.items()}
    found = acme.run(
        result.model, {each: x.transpose(result.layouts.get(each, range(x.ndim))) for each, x in feeds.items()}
    )
    for output, expected in by_name(original, feeds).items():
        wanted = expected.transpose(result.layouts.get(output, range(expected.ndim)))
        np.testing.assert_allclose(found[output], wanted, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("dialect", [str(ACME), "onnxruntime-cuda", "qonnx"])
@pytest.mark.parametrize("name", NETS)
def test_what_onnxruntime_does_not_run_is_proved_by_its_equivalent(name: str, dialect: str) -> None:
    result = rewrite(COMMITTED[name], "nhwc", dialect=dialect)
    verdict = validate(COMMITTED[name], result.runnable, layouts=result.layouts, runs=1, providers=["cpu"])
    assert verdict.ok, verdict.providers[0].reason
    assert weights(result.runnable).keys() == weights(result.model).keys()
    runs = dialect == "qonnx"
    assert (result.equivalent is None, len(marks(result.model))) == (runs, not runs)
    assert set(marks(result.model)) <= set(result.report.notes)
    assert not marks(result.runnable)


@pytest.mark.parametrize("dialect", [str(ACME), "onnxruntime-cuda", "qonnx"])
@pytest.mark.parametrize("name", NETS)
def test_the_way_back(name: str, dialect: str) -> None:
    """The same as of the equivalent file: weights bit for bit, and no trace of the words."""
    there = rewrite(COMMITTED[name], "nhwc", dialect=dialect)
    back = rewrite(there.model, "nchw", dialect=dialect if dialect.endswith(".toml") else None)
    straight = rewrite(there.runnable, "nchw")
    assert {domain for domain, _ in keys(back.model)} == {""}
    assert op_types(back.model) == op_types(straight.model)
    assert not back.model.functions
    assert not marks(back.model)
    assert [*back.model.opset_import] == [*straight.model.opset_import]
    for key, value in weights(straight.model).items():
        np.testing.assert_array_equal(weights(back.model)[key], value)
    assert back.original is not None
    assert STOOD_IN in back.report.notes
    assert validate(back.original.whole(), back.model, layouts=back.layouts, runs=1, providers=["cpu"]).ok


def test_what_the_toolchain_lacks_stays_channels_first() -> None:
    result = rewrite(small(auto_pad="SAME_UPPER", pads=None), "nhwc", dialect=str(ACME), keep_io=True)
    assert ("", "Conv") in keys(result.model)
    assert any("Conv2D has no attribute auto_pad" in cause.cause for cause in result.report.causes)


def test_of_another_type_too() -> None:
    halves = [node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16), conv("h", "c"), node("Cast", ["c"], ["y"], to=1)]
    kernel = {"w": random(5, 3, 3, 3).astype(np.float16)}
    original = model(halves, {"x": (1, 3, 7, 11)}, {"y": (1, 5, 7, 11)}, kernel)
    assert ("", "Conv") in keys(rewrite(original, "nhwc", dialect=str(ACME)).model)
    assert ("com.microsoft", "NhwcConv") in keys(rewrite(original, "nhwc", dialect="onnxruntime-cuda").model)


def test_nhwc_conv_where_its_kernel_is_a_constant() -> None:
    """Else CUDA's kernel takes it for OIHW; other operators are functions."""
    original = model(
        [conv("x", "c"), node("Relu", ["c"], ["y"])], {"x": (1, 3, 7, 11), "w": (5, 3, 3, 3)}, {"y": (1, 5, 7, 11)}
    )
    result = rewrite(original, "nhwc", dialect="onnxruntime-cuda", layouts={"w": "keep"})
    assert not [one for one in result.model.graph.node if one.op_type == "NhwcConv"]
    assert result.equivalent is None
    pooled = rewrite(small(), "nhwc", dialect="onnxruntime-cuda").model
    assert keys(pooled) == {("com.microsoft", "NhwcConv"), ("", "Relu"), ("rewriter.nhwc", "MaxPool_NHWC")}
    assert "CUDA only" in marks(pooled)[0]
    assert OnnxRuntimeCudaDialect.name == "onnxruntime-cuda"


def test_down_to_the_standard_names(tmp_path: Path) -> None:
    """Plain Conv of NHWC data, for who wants that."""
    words = file(tmp_path, 'name = "bare"\ndomain = ""\n[nhwc.Conv]\n[nhwc.MaxPool]\n')
    result = rewrite(small(), "nhwc", dialect=str(words))
    assert (keys(result.model), count(result.model)) == ({("", "Conv"), ("", "Relu"), ("", "MaxPool")}, 0)
    assert [(tuple(w.shape)) for w in weights(result.model).values()] == [(5, 3, 3, 3), (2, 3, 3, 5)]
    back = rewrite(result.model, "nchw", dialect=str(words)).model
    assert [one.attribute for one in back.graph.node] == [one.attribute for one in small().graph.node]
    for key, value in weights(small()).items():
        np.testing.assert_array_equal(weights(back)[key], value)


def test_a_standard_operator_is_what_it_says(tmp_path: Path) -> None:
    """Unless the file says that the words in it are a toolchain's."""
    words = file(tmp_path, 'name = "bare"\ndomain = ""\n[nhwc.Conv]\n[nhwc.MaxPool]\n')
    assert rewrite(small(), "nchw", dialect=str(words)).original is None
    plain = rewrite(small(), "nhwc", dialect=str(words)).model
    assert rewrite(plain, "nchw", dialect=str(words)).original is not None
    del plain.metadata_props[:]
    assert not unspell(plain, dialect_of(words))


@pytest.mark.parametrize("attr", [{"activation": "Relu"}, {"data_format": "NCHW"}])
def test_what_the_table_does_not_know_is_not_read(attr: dict[str, str]) -> None:
    there = rewrite(small(), "nhwc", dialect=str(ACME)).model
    pool = next(one for one in there.graph.node if one.op_type == "MaxPool")
    kept = [each for each in pool.attribute if each.name not in attr]
    del pool.attribute[:]
    pool.attribute.extend([*kept, *(onnx.helper.make_attribute(*pair) for pair in attr.items())])
    assert unspell(there, dialect_of(ACME))
    assert (pool.domain, pool.op_type) == ("", "MaxPool")


def test_names_that_do_not_tell_layouts_apart(tmp_path: Path) -> None:
    """A standard Conv left channels-first would be read as one on NHWC images."""
    words = file(tmp_path, 'name = "bare"\ndomain = ""\n[nhwc.Conv]\ntypes = ["float32"]\nonly = ["pads"]\n')
    with pytest.raises(UsageError, match="node 'Conv' stays channels-first, which the dialect bare has no other name"):
        rewrite(small(dilations=[2, 2], pads=[2, 2, 2, 2]), "nhwc", dialect=str(words))


def test_functions_of_a_toolchain(tmp_path: Path) -> None:
    """Such files run anywhere, and are validated themselves."""
    words = file(
        tmp_path, f'{HEAD}functions = true\nothers = "function"\n[nhwc.Conv]\nname = "Conv2D"\nkernel = "oihw"\n'
    )
    result = rewrite(small(), "nhwc", dialect=str(words))
    assert result.equivalent is None
    assert {(one.domain, one.name) for one in result.model.functions} == {
        ("acme.npu", "Conv2D"),
        ("rewriter.nhwc", "MaxPool_NHWC"),
    }
    onnx.checker.check_model(result.model, full_check=True)
    assert validate(small(), result.model, layouts=result.layouts, runs=1, providers=["cpu"]).ok
    again = rewrite(result.model, "nhwc", dialect=str(words))
    assert not again.report.changed
    other = result.model.functions[0].node.pop()
    result.model.functions[0].node.append(other)
    result.model.functions[0].doc_string = "another"
    assert ("acme.npu", "Conv2D") not in keys(rewrite(result.model, "nchw", dialect=str(words)).model)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(small(), path := tmp_path / "net.onnx")
    options = ["--dialect", str(ACME), "--providers", "cpu", "--runs", "1"]
    assert main([str(path), "--to", "nhwc", "--bench", *options]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "acme dialect" in out
    assert "onnxruntime does not know the operators of the dialect acme: what it validates is the equivalent" in out
    assert "cpu: outputs unchanged." in out
    assert main([str(tmp_path / "net.nhwc.onnx"), "--to", "nchw", *options]) == 0
    assert op_types(onnx.load(tmp_path / "net.nhwc.nchw.onnx")) == op_types(small())
    with pytest.raises(SystemExit, match="2"):
        main([str(path), "--to", "nhwc", "--dialect", "acme"])
    assert "invalid choice: 'acme'" in capsys.readouterr().err
    assert main([str(path), "--to", "nhwc", "--dialect", str(tmp_path / "none.toml")]) == USAGE
    assert error(capsys).startswith(f"{tmp_path / 'none.toml'}: not a readable TOML file (No such file")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name =", "not a readable TOML file (Invalid value"),
        ('domain = "a"', 'name: it is missing; write what reports call it, as "acme"'),
        (HEAD, "nhwc: there are no operators"),
        (f"{HEAD}version = 0\n[nhwc.Conv]", "version: it is 0; write the version of its domain, 1 or more"),
        (f"{HEAD}color = 1\n[nhwc.Conv]", "color: there is no such key; there are name, domain, version"),
        (f'{HEAD}others = "all"\n[nhwc.Conv]', 'others: it is \'all\'; write "onnx" or "function"'),
        (f"{HEAD}nhwc = 3", "nhwc: it is 3; write a table"),
        (f"{HEAD}[nhwc]\nConv = 3", "nhwc.Conv: it is 3; write a table"),
        (f"{HEAD}[nhwc.Relu]", "nhwc.Relu: there is no such operator; it is one of Conv, ConvNoBias"),
        (f'{HEAD}[nhwc.Conv]\nkernel = "hwoo"', "nhwc.Conv.kernel: it is 'hwoo'; write one of ohwi, hwio"),
        (f'{HEAD}[nhwc.MaxPool]\nkernel = "hwio"', "nhwc.MaxPool.kernel: MaxPool has no kernel"),
        (f'{HEAD}[nhwc.Conv]\nname = "a b"', "nhwc.Conv.name: it is 'a b'; write what the toolchain calls it"),
        (f'{HEAD}[nhwc.Conv]\nrename = {{ pad = "p" }}', "nhwc.Conv: Conv has no attribute 'pad'; it has auto_pad"),
        (f'{HEAD}[nhwc.Conv]\nrename = {{ pads = "group" }}', "nhwc.Conv: two attributes would be called 'group'"),
        (f"{HEAD}[nhwc.Conv]\nattributes = {{ a = true }}", "nhwc.Conv.attributes: it is {'a': True}; write what"),
        (f"{HEAD}[nhwc.Conv]\nattributes = {{ a = [1, 'b'] }}", "nhwc.Conv.attributes: it is {'a': [1, 'b']}; write"),
        (f'{HEAD}[nhwc.Conv]\ntypes = ["float"]', "nhwc.Conv.types: it is ['float']; write the types"),
        (
            f'{HEAD}[nhwc.Conv]\nname="A"\n[nhwc.MaxPool]\nname="A"',
            "nhwc.MaxPool: acme.npu::A stands for nhwc.Conv already",
        ),
        (
            f"{HEAD}functions = true\n[nwc.Conv]\n[nhwc.Conv]",
            "nhwc.Conv: acme.npu::Conv stands for nwc.Conv already",
        ),
        ('name = "a"\ndomain = ""\nfunctions = true\n[nhwc.Conv]', "nhwc.Conv.domain: '' is others'; a function needs"),
    ],
)
def test_a_broken_table_is_told_by_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = file(tmp_path, text)
    with pytest.raises(UsageError) as raised:
        rewrite(small(), "nhwc", dialect=str(path))
    assert str(raised.value).startswith(f"{path}: {said}")


def test_words_that_nobody_has_read_are_not_guessed_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Kernels would be taken for the other layout: by weights, by a comparison, and without the dialect's file."""
    path, result = tmp_path / "net.onnx", tmp_path / "net.acme.onnx"
    onnx.save(small(), path)
    assert main([str(path), "--to", "nhwc", "--dialect", str(ACME), "-o", str(result), "-q"]) == 0
    for command, more in ((weights_main, ["--for", "keras"]), (compare, [str(path)]), (main, ["--to", "nchw"])):
        assert command([str(result), *more]) == USAGE
        assert "is in the words of a toolchain, which only a conversion reads" in error(capsys)
    assert {file.name for file in tmp_path.iterdir()} == {"net.onnx", "net.acme.onnx"}


def test_its_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def noted(path: Path) -> Words:
        read.append(path)
        return dialect_of(path)

    monkeypatch.setattr("rewriter.dialect_file.dialect_of", noted)
    onnx.save(small(), tmp_path / "net.onnx")
    assert main([str(tmp_path / "net.onnx"), "--to", "nhwc", "--dialect", str(ACME), "-q", "--no-validate"]) == 0
    assert read == [ACME]

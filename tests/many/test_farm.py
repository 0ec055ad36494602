"""Many models from Python: here, in a pool of processes, on a cluster of dask."""

import json
import os
import pickle
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from rewriter import Record, UsageError, rewrite_many
from tests.many.conftest import names

QUICK: dict[str, Any] = {"providers": ["cpu"], "runs": 1}
USAGE, INTERNAL = 2, 4


@contextmanager
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield pool


@contextmanager
def cluster() -> Iterator[Executor]:
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local, Client(local) as client:
        yield client.get_executor()


@contextmanager
def here() -> Iterator[None]:
    yield None


@pytest.mark.filterwarnings("default")  # dask's own
@pytest.mark.parametrize("engine", [here, processes, cluster])
def test_records(models: Path, tmp_path: Path, engine: Any) -> None:
    output = tmp_path / "out"
    with engine() as executor:
        done = [*rewrite_many(models, "nhwc", executor=executor, output=output, **QUICK)]
    records = {Path(record.model).stem: record for record in done}
    assert [(name, records[name].code) for name in sorted(records)] == [("image", 0), ("plain", 0), ("text", USAGE)]
    assert (records["image"].verdict, records["image"].changed, records["plain"].changed) == (True, True, False)
    assert names(output) == ["image.nhwc.onnx", "plain.nhwc.onnx"]
    assert all(len(pickle.dumps(record)) < 1000 for record in done)
    assert json.dumps([record.to_json() for record in done])


def test_the_options_are_those_of_one(models: Path) -> None:
    options: dict[str, Any] = {
        "layouts": {"x": "keep"},
        "input_shapes": {"x": [1, 3, 5, 7]},
        "keep_io": False,
        "dry_run": True,
    }
    (record,) = rewrite_many(models / "image.onnx", validate=False, rtol=None, **options)
    assert (record.code, record.written, record.verdict) == (0, False, None)
    (record,) = rewrite_many([models / "image.onnx"], layouts={"nowhere": "keep"})
    assert (record.code, "nowhere" in record.error) == (USAGE, True)


MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"to": "nhcw"}, UsageError, "to=nhwc or nchw, not 'nhcw'"),
    ({"paths": []}, UsageError, "a model at least"),
    ({"runs": 0}, UsageError, "--runs is 0"),
    ({"colour": 1}, TypeError, "has no option colour"),
]


@pytest.mark.parametrize(("given", "error", "message"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes_are_told_before_any_work(
    models: Path, given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        rewrite_many(**{"paths": models, **given})
    with pytest.raises(UsageError, match="would be written for"):
        rewrite_many([models, models])


class Pool(Executor):
    """Futures that wait, and one whose worker has ended."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []

    def submit(self, *_: object, **__: object) -> "Future[Any]":
        self.futures.append(Future())
        return self.futures[-1]


def test_a_worker_that_has_ended(models: Path) -> None:
    pool = Pool()
    records = rewrite_many(models, executor=pool)
    pool.futures[1].set_exception(RuntimeError("killed\nby the kernel"))
    record = next(records)
    assert isinstance(record, Record)
    assert (record.code, record.written, record.model) == (INTERNAL, False, str(models / "plain.onnx"))
    assert record.error.endswith("ended, or lost it (RuntimeError: killed by the kernel)")
    records.close()  # type: ignore[attr-defined]
    assert [future.cancelled() for future in pool.futures] == [True, False, True]


def test_an_interrupt_is_none_of_a_model(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rewriter.conversion.Conversion._rewritten", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(rewrite_many(models))
    assert os.listdir(models.parent) == ["models"]

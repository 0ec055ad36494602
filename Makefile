# Everything is installed into .venv (tool and tests), .venv-export (PyTorch, TensorFlow; only `make models`),
# .venv-interop (these and Flax, LiteRT; only `make interop`), .venv-qonnx (only `make qonnx`), .venv-openvino (only
# `make prices-openvino` and `make zoo-latency-openvino`), .venv-lowest (only `make test-lowest`), .venv-docs (only `make
# docs`), .venv-cuda and .venv-openvino-ep (other builds of onnxruntime; only `make cuda` and `make providers`),
# .venv-elsewhere-NAME (one for each runtime or converter of `make runtimes`).
PYTHON ?= python3
VENV := .venv
EXPORT := .venv-export
INTEROP := .venv-interop
OPENVINO := .venv-openvino
QONNX := .venv-qonnx
LOWEST := .venv-lowest
CUDA := .venv-cuda
OPENVINO_EP := .venv-openvino-ep
DOCS := .venv-docs
ELSEWHERE := $(addprefix .venv-elsewhere-,opencv ncnn iree onnx2tf litert-torch web)
MODEL ?= models/torch_resnet.onnx
TO ?= nhwc
GRAPHS ?= 1000
FILES ?= 20000
LINES ?= 2000
FIRST ?= 0

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' Makefile)

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-20s %s\n", $$1, $$2}'

run: $(VENV)/ready  ## set up and convert a model (MODEL=path TO=nhwc|nchw)
	$(VENV)/bin/python -m rewriter $(MODEL) --to $(TO)

test: $(VENV)/ready  ## set up and run the tests; prints the coverage
	$(VENV)/bin/python -m pytest -n 2 --cov --cov-report=term
	$(VENV)/bin/coverage report --include='passes/rules/*' --fail-under=95

test-lowest: $(LOWEST)/ready  ## whole models with the lowest versions that pyproject.toml claims
	$(LOWEST)/bin/python -m pytest -n 2 -W default tests/pipeline tests/plan tests/weights tests/validation \
		$(addprefix --ignore=tests/pipeline/test_,interface.py roundtrip.py random.py broken_models.py raise_opset.py) \
		-k 'not overloads' # which onnxruntime 1.25 takes for one another

check: $(VENV)/ready  ## lint, formatting, import boundaries, strict types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/mypy

report-check: $(VENV)/ready  ## the page of --report in a browser (apt-get install chromium); its screenshots to docs/images
	$(VENV)/bin/python -m pytest -rs tests/report
	$(VENV)/bin/python -m tests.tools.screenshots

interop: $(INTEROP)/ready  ## weights in PyTorch, TensorFlow, TFLite and Flax, by running these
	$(INTEROP)/bin/python -m pytest -n 2 tests/interop

qonnx: $(QONNX)/ready  ## files in the qonnx dialect, executed by the qonnx package
	$(QONNX)/bin/python -m pytest tests/qonnx

weights-table: $(INTEROP)/ready  ## which names exporters of PyTorch keep; writes the table of docs/weights.md
	$(INTEROP)/bin/python -m tests.tools.weights_table

providers: $(OPENVINO_EP)/ready  ## the tests of providers, with OpenVINO's as the second one
	$(OPENVINO_EP)/bin/python -m pytest tests/validation/test_providers.py tests/tools/test_cuda.py

cuda: $(CUDA)/ready  ## on a machine with an NVIDIA GPU: validate, time, count; writes docs/cuda.md (ARGS=--committed)
	$(CUDA)/bin/python -m tests.tools.cuda $(ARGS)

runtimes: $(VENV)/ready $(INTEROP)/ready $(OPENVINO)/ready  ## our files in other runtimes; writes docs/runtimes.md, docs/ways-to-tflite.md (15 GB of disk)
	-$(MAKE) -k $(addsuffix /ready,$(ELSEWHERE)) # what does not install is left out
	$(INTEROP)/bin/python -m tests.tools.elsewhere

models: $(EXPORT)/ready  ## re-export the small models in models/
	$(EXPORT)/bin/python models/export.py

models-full: $(EXPORT)/ready  ## export the full-size models to models/full (not in git; for make bench)
	$(EXPORT)/bin/python models/export.py --full

models-kinds: $(EXPORT)/ready  ## re-export the small nets of every kind in models/kinds/
	$(EXPORT)/bin/python models/export.py --kinds

models-zoo: $(EXPORT)/ready  ## export the zoo to models/zoo (not in git; for make zoo)
	$(EXPORT)/bin/python models/export.py --zoo

conformance: $(VENV)/ready  ## onnx's own conformance suite, converted every way
	$(VENV)/bin/python -m tests.tools.conformance

fuzz: $(VENV)/ready  ## random graphs, converted every way (GRAPHS=1000)
	$(VENV)/bin/python -m tests.tools.fuzz $(GRAPHS)

fuzz-files: $(VENV)/ready  ## broken files and command lines (FILES=20000 LINES=2000 FIRST=0, the first seed)
	$(VENV)/bin/python -m tests.tools.fuzz_lines $(LINES) $(FIRST)
	$(VENV)/bin/python -m tests.tools.fuzz_files $(FILES) $(FIRST)

kills: $(VENV)/ready  ## real runs, killed at 200 random moments, and at 60 while 2 GB replace 2 GB
	$(VENV)/bin/python -m tests.tools.kills 200
	$(VENV)/bin/python -m tests.tools.kills_large 60

faults: $(VENV)/ready  ## plant faults in rules; are they found, and where they are?
	$(VENV)/bin/python -m tests.tools.faults

mutants: $(VENV)/ready $(INTEROP)/ready  ## plant 130 faults in the tool, one at a time; which do its tests not notice? (an hour; goes on if ended; ARGS="20 rewriter/weights")
	$(VENV)/bin/python -m tests.tools.mutants $(ARGS)

operators: $(VENV)/ready  ## write docs/operators.md from the registry
	$(VENV)/bin/python -m tests.tools.make_operators

options: $(VENV)/ready  ## write docs/options.md from the commands
	$(VENV)/bin/python -m tests.tools.make_options

docs: $(DOCS)/ready  ## the documentation as a site, in build/site; warnings and dead links are errors
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build -q -f .mkdocs.yml

bench: $(VENV)/ready  ## measure; writes docs/benchmarks.md (needs make models-full once)
	$(VENV)/bin/python -m tests.tools.bench

bench-size: $(VENV)/ready  ## large models, small ones and many; writes docs/sizes.md (30 GB of disk, 24 GB of memory)
	$(VENV)/bin/python -m tests.tools.bench_size

zoo: $(VENV)/ready  ## count Transposes over the zoo; writes docs/zoo.md (needs make models-zoo once)
	$(VENV)/bin/python -m tests.tools.zoo

zoo-tflite: $(INTEROP)/ready  ## every net as a TFLite file: right, Transposes, size
	$(INTEROP)/bin/python -m tests.tools.tflite_zoo

int8-tflite: $(INTEROP)/ready  ## what classifiers keep of their top-1 as int8 TFLite files
	$(INTEROP)/bin/python -m tests.tools.tflite_int8

prices: $(VENV)/ready  ## time operators channels first and last; writes docs/prices.md
	$(VENV)/bin/python -m tests.tools.prices

prices-openvino: $(OPENVINO)/ready  ## the same in OpenVINO; writes docs/prices-openvino.md
	$(OPENVINO)/bin/python -m tests.tools.prices --for openvino

zoo-latency: $(VENV)/ready  ## race over the zoo on a quiet machine; writes docs/zoo-latency.md
	$(VENV)/bin/python -m tests.tools.latency

zoo-latency-openvino: $(OPENVINO)/ready  ## the same in OpenVINO; writes docs/zoo-latency-openvino.md
	$(OPENVINO)/bin/python -m tests.tools.latency --for openvino

clean:  ## remove the virtual environments and caches
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache *.egg-info build

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	touch $@

# An extra of pyproject.toml has the name of its environment.
.venv-%/ready: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install -q --disable-pip-version-check -e '.[$*]'
	touch $@

EXTRA = import sys, tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"][sys.argv[1]], sep="\n")

PINS = import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")

$(DOCS)/ready: pyproject.toml
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -c '$(EXTRA)' docs > $(DOCS)/packages.txt
	$(DOCS)/bin/python -m pip install -q --disable-pip-version-check -r $(DOCS)/packages.txt
	touch $@

.venv-elsewhere-web/ready:
	npm install --silent --prefix $(@D) onnxruntime-web@1.30.0
	touch $@

.venv-elsewhere-%/ready: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -c '$(EXTRA)' elsewhere-$* > $(@D)/packages.txt
	$(@D)/bin/python -m pip install -q --disable-pip-version-check -r $(@D)/packages.txt
	touch $@

$(LOWEST)/ready: pyproject.toml
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -c '$(PINS)' | sed 's/>=/==/' > $(LOWEST)/pins.txt
	$(LOWEST)/bin/python -m pip install -q --disable-pip-version-check -r $(LOWEST)/pins.txt hypothesis pytest pytest-xdist sympy
	touch $@

# The project's dependencies with another build of onnxruntime in the place of that which they name: a group of
# pyproject.toml. Both are one package, and installed side by side neither works.
BUILD = import sys, tomllib; project = tomllib.load(open("pyproject.toml", "rb")); \
	others = (name for name in project["project"]["dependencies"] if not name.startswith("onnxruntime>")); \
	print(*others, *project["dependency-groups"][sys.argv[1]], sep="\n")

$(CUDA)/ready: pyproject.toml
	$(PYTHON) -m venv $(CUDA)
	$(CUDA)/bin/python -c '$(BUILD)' cuda > $(CUDA)/packages.txt
	$(CUDA)/bin/python -m pip install -q --disable-pip-version-check -r $(CUDA)/packages.txt
	touch $@

$(OPENVINO_EP)/ready: pyproject.toml
	$(PYTHON) -m venv $(OPENVINO_EP)
	$(OPENVINO_EP)/bin/python -c '$(BUILD)' openvino-ep > $(OPENVINO_EP)/packages.txt
	$(OPENVINO_EP)/bin/python -m pip install -q --disable-pip-version-check -r $(OPENVINO_EP)/packages.txt
	touch $@

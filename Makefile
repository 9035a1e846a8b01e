# Every command a person needs. Each target sets up what it needs in .venv and .cache; Python 3.11 is enough to start.
#
#   make demo      a real chat model answers a question
#   make test      the whole suite
#   make lint      style, types and the direction of imports
#   make gpu       what only a GPU shows, on a machine with one: its tests, and the two benchmarks
#   make bench     side by side with the library everybody knows; tables and plots into docs/benchmarks
#   make models    fetch the real models that tests, demo and benchmarks use
#   make install   .venv with every package editable and the test requirements
#   make wheels    every package as a wheel, into dist/

PYTHON ?= python3
TORCH ?= torch==2.13.0
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
PACKAGES := registry core $(patsubst %/pyproject.toml,%,$(sort $(wildcard plugins/*/*/pyproject.toml)))
BYTECODE := $(BIN)/python -m compileall -qq -j 0
METADATA := $(addsuffix /pyproject.toml,$(PACKAGES))
# What these need would move packages back that others need newer; tests/test_install.py gives them an environment.
APART := plugins/callbacks/mlflow plugins/callbacks/trackio
# Triton is there for Linux alone; elsewhere the tests that need it are skipped.
INTERPRETED := $(if $(filter Linux,$(shell uname)),.venv/interpreted)

.PHONY: demo test gpu lint bench models install wheels clean
.DELETE_ON_ERROR:

# The packages alone. torch comes first and by itself: it is the one whose build must be chosen. Bytecode is written on
# all cores, which pip does not (--no-compile); some packages carry files for other Pythons, which do not compile.
.venv/runtime: $(METADATA) Makefile scripts/install_editable.py
	$(PYTHON) -m venv .venv
	$(PIP) "$(TORCH)" "hatchling>=1.26" "editables>=0.5"
	$(BIN)/python scripts/install_editable.py $(filter-out $(APART),$(PACKAGES))
	$(BIN)/python scripts/install_editable.py --no-deps $(APART)
	$(BYTECODE) .venv/lib registry/src core/src || true
	touch $@

# The tests must not compile: their warnings are errors, and a compiler's warnings about other people's files would be too.
.venv/test: .venv/runtime requirements/test.txt
	$(PIP) --requirement requirements/test.txt
	$(BYTECODE) .venv/lib || true
	touch $@

# flash-attn without its compiled kernels, and what interprets its Triton ones on any processor: the tests run the real
# package so. Beside the environment and not in it, where torch would find Triton and compile by it.
.venv/interpreted: .venv/test
	$(PIP) --target .venv/apart/interpreted --no-deps triton==3.7.1 einops==0.8.1 wheel==0.48.0
	FLASH_ATTENTION_SKIP_CUDA_BUILD=TRUE FLASH_ATTENTION_FORCE_BUILD=TRUE PYTHONPATH=.venv/apart/interpreted \
		$(PIP) --target .venv/apart/interpreted --no-deps --no-build-isolation flash-attn==2.8.3.post2
	touch $@

# llama.cpp is built from source for this machine's processor; needs a C++ compiler and cmake, and some minutes. GCC 12
# takes the stores that configure AMX's tiles for dead, and llama.cpp then dies of an illegal instruction: hence the flags.
.venv/bench: .venv/test requirements/bench.txt
	CMAKE_ARGS='-DGGML_NATIVE=ON -DCMAKE_CXX_FLAGS="-fno-tree-dse -fno-dse"' $(PIP) --no-binary llama-cpp-python --requirement requirements/bench.txt
	touch $@

install: .venv/test

demo: .venv/runtime
	@$(BIN)/python scripts/fetch_models.py smollm2
	@$(BIN)/python examples/demo.py .cache/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf

models: .venv/runtime
	$(BIN)/python scripts/fetch_models.py

# GPUs are hidden: the suite is the same on every machine, and what compares with a GPU pretends one.
# The folders whose few tests take longest come first, or the last of them would run alone on one core.
test: .venv/test $(INTERPRETED)
	$(BIN)/python scripts/fetch_models.py
	CUDA_VISIBLE_DEVICES= OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder tests plugins/tools registry/tests core/tests plugins

# The tests that compare a GPU with the CPU take the machine's own here, and one that is none in `make test`.
gpu: .venv/test
	@$(BIN)/python -c "import torch; torch.cuda.is_available() or exit('PyTorch ' + torch.__version__ + ' sees no GPU here')"
	$(BIN)/python -m pytest tests/devices core/tests/packed core/tests/checkpoint/test_placement.py plugins/decoders/constrained/tests/test_devices.py
	$(BIN)/python -m benchmarks.gpu_decode --output docs/benchmarks
	$(BIN)/python -m benchmarks.gpu_training --output docs/benchmarks

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/typed_names.py
	$(BIN)/lint-imports

bench: .venv/bench
	$(BIN)/python scripts/fetch_models.py smollm2 minilm whisper speech photographs
	$(BIN)/python -m benchmarks

wheels: .venv/runtime
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist . $(addprefix ./,$(PACKAGES))

clean:
	rm -rf .venv dist .pytest_cache .mypy_cache .ruff_cache

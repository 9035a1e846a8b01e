"""Where the repository and the real models are."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of real models; `make test` fetches them first."""
    return Path(os.environ.get("MODELRY_MODELS", REPOSITORY / ".cache" / "models"))


@pytest.fixture(scope="session")
def smollm2(models: Path) -> Path:
    path = models / "smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert path.is_file(), f"{path} is not there. Run: make models"
    return path

"""Where the repository and the real models are, and clean environments that hold built wheels and nothing editable."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Environment:
    """A virtual environment of its own; commands run in `folder`, outside the repository."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, *command: str | Path, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the environment; its own scripts come first on PATH."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MODELRY_"))}
        inherited["PATH"] = f"{self.folder / 'bin'}{os.pathsep}{inherited['PATH']}"
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.folder,
            env={**inherited, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def pip(self, *arguments: str | Path) -> None:
        """Run pip on this environment; nothing comes from an index."""
        pip = [sys.executable, "-m", "pip", "--python", self.python, "--quiet", "--disable-pip-version-check"]
        self.run(*pip, *arguments)

    def install(self, wheels: Path, *requirements: str | Path) -> None:
        self.pip("install", "--no-index", "--find-links", wheels, *requirements)


BUILD = """
import os, sys
from hatchling.build import build_wheel
for folder in sys.argv[2:]:
    os.chdir(folder)
    build_wheel(sys.argv[1])
"""


def build_wheels(folder: Path, *packages: Path) -> None:
    """Build the wheels of packages into `folder`, without fetching anything.

    All in one process, by the backend that pip would start an interpreter or two for each to call.
    """
    command = [sys.executable, "-c", BUILD, str(folder), *map(str, packages)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every package of the repository as a wheel."""
    folder = tmp_path_factory.mktemp("wheels")
    packages = [path.parent for path in REPOSITORY.glob("plugins/*/*/pyproject.toml")]
    build_wheels(folder, REPOSITORY, REPOSITORY / "registry", REPOSITORY / "core", *packages)
    return folder


@pytest.fixture(scope="session")
def third_party(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Links to everything installed here that is not ours: torch need not be installed a second time."""
    folder = tmp_path_factory.mktemp("third-party")
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        ours = entry.name.lower().replace("_", "-").lstrip("-").startswith(("modelry", "editable"))
        if not ours and entry.suffix != ".pth" and entry.name != "__pycache__":
            (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture(scope="session")
def make_environment(
    tmp_path_factory: pytest.TempPathFactory, wheels: Path, third_party: Path
) -> Callable[[Sequence[str | Path]], Environment]:
    """A function: requirements (names of our packages, or wheel files) -> an environment that holds only them."""

    def make(requirements: Sequence[str | Path]) -> Environment:
        environment = Environment(tmp_path_factory.mktemp("environment") / "venv")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment.folder], check=True)
        (site,) = environment.folder.glob("lib/python*/site-packages")
        (site / "third_party.pth").write_text(f"{third_party}\n")
        if requirements:
            environment.install(wheels, *requirements)
        return environment

    return make

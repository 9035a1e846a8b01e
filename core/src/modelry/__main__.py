"""The program `modelry` as a module: `python -m modelry`, and what `torchrun -m modelry` starts in each process."""

from modelry_registry.cli import main

if __name__ == "__main__":
    main()

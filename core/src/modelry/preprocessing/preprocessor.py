"""What every preprocessor is: it turns a user's input into model inputs, and is loaded and saved with the model."""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from modelry.hub import Reference, Source, resolve_reference, split_hub_options
from modelry.uploading import push_saved

PathLike = str | os.PathLike[str]


class Preprocessor(ABC):
    """The interface of tokenizers, image and video processors, feature extractors, and processors made of them."""

    role: ClassVar[str]
    """What a model family calls it: "tokenizer", "image-processor" and so on."""

    @classmethod
    def from_pretrained(cls, ref: Reference, **options: Any) -> Self:
        """Load from a folder, a file, or a repository on the hub.

        Args:
            ref: folder, file or "organisation/repository".
            options: revision, subfolder, cache_dir, local_files_only, token, force_download and gguf_file say where
                (see modelry.hub.resolve_reference); every other name replaces a value of the published files.

        Raises:
            NotFound: there is no such place, or it holds no such preprocessor.
            PreprocessorError: its files are invalid.
        """
        place, settings = split_hub_options(options)
        return cls.from_source(resolve_reference(ref, **place), settings)

    @classmethod
    @abstractmethod
    def from_source(cls, source: Source, settings: Mapping[str, Any]) -> Self:
        """Load from a resolved place; `settings` replace published values."""

    @abstractmethod
    def save_pretrained(self, save_directory: PathLike) -> tuple[str, ...]:
        """Write the published files into a folder, which is made when missing.

        Returns:
            The paths written.
        """

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Upload the files that save_pretrained writes.

        Args:
            options: commit_message, private, token, revision, create_pr.

        Returns:
            The address of the commit.
        """
        return push_saved(self._save_into, repo_id, message=f"Upload {type(self).__name__}", **options)

    def _save_into(self, folder: Path) -> None:
        self.save_pretrained(folder)

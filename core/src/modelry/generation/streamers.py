"""Text while it is generated: printed, or handed to another thread or coroutine. No torch is imported here."""

from __future__ import annotations

import asyncio
import queue
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from modelry.errors import GenerationError
from modelry.preprocessing.detokenizer import Detokenizer

if TYPE_CHECKING:
    from torch import Tensor


class BaseStreamer(ABC):
    """The interface: gets the prompt, then each new token once, then the end, or the error that came instead."""

    @abstractmethod
    def put(self, value: Tensor) -> None:
        """Take ids: first the prompts (R, P), then one token of each row (R,). On the CPU."""

    @abstractmethod
    def end(self) -> None:
        """There is no more."""

    def fail(self, error: BaseException) -> None:
        """Generation broke off: it raises `error` to its caller after this."""
        self.end()


class TextStreamer(BaseStreamer):
    """Prints text as soon as it is certain: a character is never shown in pieces.

    Args:
        tokenizer: has `decode`.
        skip_prompt: leave the prompt out.
        decode_kwargs: for `decode`, as skip_special_tokens=True.
    """

    def __init__(self, tokenizer: Any, skip_prompt: bool = False, **decode_kwargs: Any) -> None:
        self.tokenizer, self.skip_prompt, self.decode_kwargs = tokenizer, skip_prompt, decode_kwargs
        self._text = Detokenizer(tokenizer, **decode_kwargs)
        self._at_prompt = True

    def put(self, value: Tensor) -> None:
        """Take ids of one row.

        Raises:
            GenerationError: several rows.
        """
        ids = value.tolist()
        if ids and isinstance(ids[0], list):
            if len(ids) > 1:
                raise GenerationError(
                    f"{type(self).__name__} shows one text, and this generation has {len(ids)} rows: "
                    "stream one prompt and one sequence, or write a streamer whose put() takes several rows"
                )
            ids = ids[0]
        is_prompt, self._at_prompt = self._at_prompt, False
        if is_prompt and self.skip_prompt:
            self._text.follow(ids)
        else:
            text = self._text.push(ids)
            if text:
                self.on_finalized_text(text)

    def end(self) -> None:
        """Show what was held back; the streamer can be used again."""
        rest = self._text.flush()
        self._at_prompt = True
        self.on_finalized_text(rest, stream_end=True)

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """What happens to certain text: it is printed. Subclasses do something else."""
        print(text, end="\n" if stream_end else "", flush=True)


class TextIteratorStreamer(TextStreamer):
    """Text for a loop in this thread while generate() runs in another. An error of that thread is raised here.

    Args:
        timeout: seconds to wait for the next piece; None waits for ever.

    Raises:
        queue.Empty: while iterating: nothing came in time.
    """

    def __init__(
        self, tokenizer: Any, skip_prompt: bool = False, timeout: float | None = None, **decode_kwargs: Any
    ) -> None:
        super().__init__(tokenizer, skip_prompt, **decode_kwargs)
        self.timeout = timeout
        self.text_queue: queue.Queue[str | BaseException | None] = queue.Queue()

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """Queue the text, and at the end a sign."""
        if text:
            self.text_queue.put(text)
        if stream_end:
            self.text_queue.put(None)

    def fail(self, error: BaseException) -> None:
        """Queue the error behind the text that came before it."""
        self.text_queue.put(error)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        piece = self.text_queue.get(timeout=self.timeout)
        if piece is None:
            raise StopIteration
        if isinstance(piece, BaseException):
            raise piece
        return piece


class AsyncTextIteratorStreamer(TextStreamer):
    """Text for `async for` while generate() runs in a thread. An error of that thread is raised here.

    Make it inside the running event loop.

    Args:
        timeout: seconds to wait for the next piece; None waits for ever.

    Raises:
        TimeoutError: while iterating: nothing came in time.
    """

    def __init__(
        self, tokenizer: Any, skip_prompt: bool = False, timeout: float | None = None, **decode_kwargs: Any
    ) -> None:
        super().__init__(tokenizer, skip_prompt, **decode_kwargs)
        self.timeout = timeout
        self.text_queue: asyncio.Queue[str | BaseException | None] = asyncio.Queue()
        self.loop = asyncio.get_running_loop()

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """Queue the text from whichever thread this is, and at the end a sign."""
        if text:
            self.loop.call_soon_threadsafe(self.text_queue.put_nowait, text)
        if stream_end:
            self.loop.call_soon_threadsafe(self.text_queue.put_nowait, None)

    def fail(self, error: BaseException) -> None:
        """Queue the error behind the text that came before it."""
        self.loop.call_soon_threadsafe(self.text_queue.put_nowait, error)

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        async with asyncio.timeout(self.timeout):
            piece = await self.text_queue.get()
        if piece is None:
            raise StopAsyncIteration
        if isinstance(piece, BaseException):
            raise piece
        return piece

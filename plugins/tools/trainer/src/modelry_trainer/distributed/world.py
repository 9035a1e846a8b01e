"""How the processes of a training know and talk to each other; `Alone` is the one process that has nobody to talk to.

What they say goes as JSON and raw tensors over groups of their own on the CPU: nothing is pickled on the way, and
nothing waits for a GPU.
"""

import atexit
import math
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, final

import torch
import torch.distributed as dist
from torch import Tensor

from modelry.accelerators import accelerators
from modelry_trainer import precision
from modelry_trainer.checkpoints.tree import packed, unpacked
from modelry_trainer.distributed.environment import Launched, launched
from modelry_trainer.distributed.pieces import boxes_of
from modelry_trainer.distributed.sizes import Sizes, sizes_of
from modelry_trainer.errors import ArgumentsError, ProcessLost

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

    from modelry_trainer.arguments import TrainingArguments

T = TypeVar("T")


@final
class Alone:
    """One process."""

    mesh: "DeviceMesh | None" = None
    sizes = Sizes(1, 1, 1)
    rank = local_rank = data_rank = leader = 0
    size = data_size = 1
    is_first = is_first_here = leads = speaks = True

    def __init__(self, args: "TrainingArguments") -> None:
        self.device = precision.training_device(args)
        sizes_of(args, 1)
        if args.fsdp:
            raise ArgumentsError("fsdp is set and there is one process: start it with torchrun, or leave fsdp out")
        if args.local_rank not in (-1, 0):
            raise ArgumentsError(f"local_rank is {args.local_rank} and there is one process: leave it out")

    def total(self, *values: float) -> list[float]:
        """The sum of each over all that see different rows."""
        return list(values)

    def wishes(self, flags: Sequence[bool]) -> list[bool]:
        """What any process wishes."""
        return list(flags)

    def told(self, make: Callable[[], T]) -> T:
        """What the first process makes of it, for all."""
        return make()

    def gathered(self, tree: Any) -> list[Any]:
        """What each has, of those that see different rows, in the order in which rows are dealt out."""
        return [tree]

    def everywhere(self, act: Callable[[], T]) -> list[T]:
        """Act; raises in all processes where it raises in one. What each has made, by rank: plain data."""
        return [act()]

    def together(self) -> AbstractContextManager[None]:
        """The block in which processes need each other."""
        return nullcontext()


@final
class Processes:
    """This process among others. Methods are called by all of them, in one order."""

    def __init__(self, args: "TrainingArguments", me: Launched) -> None:
        if args.local_rank not in (-1, me.local_rank):
            raise ArgumentsError(
                f"local_rank is {args.local_rank} and torchrun's LOCAL_RANK is {me.local_rank}: leave it out"
            )
        self.rank, self.size, self.local_rank = me.rank, me.size, me.local_rank
        self.sizes = sizes_of(args, me.size)
        self.device = _device(args, me)
        timeout = timedelta(seconds=args.ddp_timeout)
        if not dist.is_initialized():
            dist.init_process_group(_backend(args, self.device), timeout=timeout)
            atexit.register(_leave)
        self.mesh = _mesh(self.device, self.sizes)
        self.data_rank, of_tensor = divmod(me.rank, self.sizes.tensor)
        self.data_size = self.sizes.data
        self._all = dist.new_group(backend="gloo", timeout=timeout)
        teams = [list(range(number, me.size, self.sizes.tensor)) for number in range(self.sizes.tensor)]
        self._data = [dist.new_group(ranks, backend="gloo", timeout=timeout) for ranks in teams][of_tensor]
        self.is_first, self.is_first_here = me.rank == 0, me.local_rank == 0
        self.leader = me.rank - me.local_rank if args.save_on_each_node else 0
        self.leads = self.leader == me.rank
        self.speaks = self.is_first_here if args.log_on_each_node else self.is_first
        from modelry_trainer.distributed.watching import Watch

        self._watch = Watch(me, os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))

    def total(self, *values: float) -> list[float]:
        """The sum of each over all that see different rows."""
        sums = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(sums, group=self._data)
        return [float(value) for value in sums]

    def wishes(self, flags: Sequence[bool]) -> list[bool]:
        """What any process wishes."""
        counts = torch.tensor([int(flag) for flag in flags], dtype=torch.int32)
        dist.all_reduce(counts, op=dist.ReduceOp.MAX, group=self._all)
        return [bool(count) for count in counts]

    def told(self, make: Callable[[], T]) -> T:
        """What the first process makes of it, for all: plain data and tensors."""
        answer: Any = None
        failed: Exception | None = None
        if self.is_first:
            try:
                answer = {"made": make()}
            except Exception as error:
                answer, failed = {"words": f"{type(error).__name__}: {error}"}, error
        message = unpacked(self._broadcast(packed(answer) if self.is_first else b""))
        if failed is not None:
            raise failed
        if "words" in message:
            raise ProcessLost(f"process 0 of {self.size} has stopped: {message['words']}")
        made: T = message["made"]
        return made

    def gathered(self, tree: Any) -> list[Any]:
        """What each has, of those that see different rows, in the order in which rows are dealt out."""
        return [unpacked(message) for message in _exchanged(packed(tree), self._data)]

    def everywhere(self, act: Callable[[], T]) -> list[T]:
        """Act; raises in all processes where it raises in one. What each has made, by rank: plain data."""
        failed: Exception | None = None
        answer: Any = None
        try:
            answer = {"made": act()}
        except Exception as error:
            answer, failed = {"words": f"{type(error).__name__}: {error}"}, error
        said = [unpacked(one) for one in _exchanged(packed(answer), self._all)]
        if failed is not None:
            raise failed
        for rank, one in enumerate(said):
            if "words" in one:
                raise ProcessLost(f"process {rank} of {self.size} (this is {self.rank}) has stopped: {one['words']}")
        return [one["made"] for one in said]

    @contextmanager
    def together(self) -> Iterator[None]:
        """The block in which processes need each other.

        Raises:
            ProcessLost: in place of the error that a lost process has caused here.
        """
        try:
            with self._watch.over():
                yield
        except BaseException:
            atexit.unregister(_leave)  # which could wait for the lost one
            raise

    def broadcast(self, value: Tensor) -> Tensor:
        """What the first process has in the place of a tensor; where it was, and of the same shape."""
        content = value.detach().cpu().contiguous().view(-1).view(torch.uint8).clone()
        dist.broadcast(content, 0, group=self._all)
        return content.view(value.dtype).view(value.shape).to(value.device)

    def collected(self, value: Any) -> Tensor | None:
        """The whole of a divided tensor, on the CPU of the first process; None in the others."""
        own = value.to_local().detach().cpu().contiguous()
        spans = [[[[one.start, one.stop] for one in where], *box] for where, box in boxes_of(value)]
        about = [unpacked(one) for one in _exchanged(packed([list(own.shape), spans]), self._all)]
        sizes = [math.prod(shape) * own.element_size() for shape, _ in about]
        sent = torch.zeros(max(sizes), dtype=torch.uint8)
        sent[: sizes[self.rank]] = own.view(-1).view(torch.uint8)
        into = [torch.zeros(max(sizes), dtype=torch.uint8) for _ in sizes] if self.is_first else None
        dist.gather(sent, into, 0, group=self._all)
        if into is None:
            return None
        whole = torch.empty(value.shape, dtype=own.dtype)
        for content, size, (shape, boxes) in zip(into, sizes, about, strict=True):
            local = content[:size].view(own.dtype).view(shape)
            for where, offsets, lengths in boxes:
                place = tuple(slice(start, start + length) for start, length in zip(offsets, lengths, strict=True))
                whole[place] = local[tuple(slice(*one) for one in where)]
        return whole

    def _broadcast(self, message: bytes) -> bytes:
        length = torch.tensor([len(message)])
        dist.broadcast(length, 0, group=self._all)
        content = _bytes(message, int(length))
        dist.broadcast(content, 0, group=self._all)
        return content.numpy().tobytes()


World = Alone | Processes


def world_of(args: "TrainingArguments") -> World:
    """As torchrun has started this process, or alone.

    Raises:
        ArgumentsError: the arguments do not go with the number of processes.
    """
    me = launched()
    return Alone(args) if me is None else Processes(args, me)


def _device(args: "TrainingArguments", me: Launched) -> torch.device:
    device = precision.training_device(args, several=True)
    if device.type != "cuda" and args.ddp_backend == "nccl":
        raise ArgumentsError("ddp_backend is 'nccl' and there is no GPU to be used: write 'gloo', or leave it out")
    if device.type == "cpu":
        return device
    here = accelerators()
    if me.local_rank >= len(here):
        raise ArgumentsError(
            f"process {me.rank} is number {me.local_rank} on {socket.gethostname()}, which has "
            f"{len(here)} GPUs: start fewer with --nproc-per-node, or set use_cpu=True"
        )
    torch.accelerator.set_device_index(me.local_rank)
    return here[me.local_rank]


def _backend(args: "TrainingArguments", device: torch.device) -> str:
    """What carries tensors: of the CPU gloo, of an accelerator what PyTorch has for its kind, such as nccl and xccl."""
    if device.type == "cpu" or args.ddp_backend == "gloo":
        return "gloo"
    return f"cpu:gloo,{device.type}:{dist.get_default_backend_for_device(device.type)}"


def _mesh(device: torch.device, sizes: Sizes) -> "DeviceMesh":
    from torch.distributed.device_mesh import init_device_mesh

    return init_device_mesh(device.type, tuple(sizes), mesh_dim_names=("dp_replicate", "dp_shard", "tp"))


def _exchanged(message: bytes, group: Any) -> list[bytes]:
    size = dist.get_world_size(group)
    lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(size)]
    dist.all_gather(lengths, torch.tensor([len(message)]), group=group)
    longest = max(int(length) for length in lengths)
    contents = [torch.zeros(longest, dtype=torch.uint8) for _ in range(size)]
    dist.all_gather(contents, _bytes(message, longest), group=group)
    return [content[: int(length)].numpy().tobytes() for content, length in zip(contents, lengths, strict=True)]


def _bytes(message: bytes, length: int) -> Tensor:
    return torch.frombuffer(bytearray(message.ljust(length, b"\0")), dtype=torch.uint8)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()

"""What the bits of the reference engines could depend on does not vary, on any processor.

MKL rounds a product by where its left operand lies (modulo 64 bytes), by threads and by the number of
instances of a batch. Whether it shows depends on the processor, so these tests look at the operands as well.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import superposition_atlas as sa
import torch
from superposition_atlas.attention.train_attention import train_attention
from superposition_atlas.sampling import sample as sampling
from torch.utils._python_dispatch import TorchDispatchMode

SCHEDULE = sa.schedules.linear(21, 0.5, 0.1, 0.9)
MODELS = sa.train(SCHEDULE, 11, range(3), steps=3, batch_size=50)


def toy_models(instances: list[int], n_threads: int) -> list[np.ndarray]:
    models = sa.train(
        SCHEDULE, 11, instances, steps=3, batch_size=50, engine="torch", threads=n_threads, optimizer="adamw",
        record_steps=[3],
    )  # fmt: skip
    assert models.history is not None
    return [models.W, models.b, models.loss, models.history.feature_loss[0]]


def saes(architecture: str, **options: Any) -> Callable[[list[int], int], list[np.ndarray]]:
    def train(instances: list[int], n_threads: int) -> list[np.ndarray]:
        trained = sa.train_saes(
            MODELS.select(np.array(instances)),
            architecture=architecture,
            n_latents=17,
            steps=3,
            batch_size=50,
            dead_window=1,
            engine="torch",
            threads=n_threads,
            **options,
        )
        return list(trained.parameters.values())

    return train


TRAIN = {
    "toy models": toy_models,
    "gated": saes("gated"),
    "jumprelu": saes("jumprelu"),
    "matryoshka": saes("matryoshka", k=2, prefixes=[3]),
}
PRODUCTS = {"aten.mm.default", "aten.bmm.default", "aten.addmm.default", "aten.baddbmm.default"}
COPIES = {"aten.lift_fresh.default", "aten._to_copy.default", "aten.detach.default"}


class Operands(TorchDispatchMode):
    """Notes for every operation its shapes, its operands' places in memory and torch's threads."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[tuple[Any, ...]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tensors = [one for one in args if isinstance(one, torch.Tensor)]
        forms = tuple((tuple(one.shape), one.stride(), one.data_ptr() % 64) for one in tensors)
        self.noted.append((str(func), forms, torch.get_num_threads()))
        return func(*args, **(kwargs or {}))


@contextmanager
def noted_in_groups(monkeypatch: pytest.MonkeyPatch, *modules: str) -> Iterator[list[list[tuple[Any, ...]]]]:
    """The operations of each instance: a dispatch mode is of one thread, so it is entered in each."""
    from superposition_atlas.backends.threads import run_in_groups

    instances: list[list[tuple[Any, ...]]] = []

    def one_by_one(work: Callable[[int, int], None], n_instances: int, n_threads: int) -> None:
        def noting(first: int, end: int) -> None:
            for instance in range(first, end):
                with Operands() as operands:
                    work(instance, instance + 1)
                instances.append(operands.noted)

        run_in_groups(noting, n_instances, n_threads)

    for module in modules:
        monkeypatch.setattr(f"superposition_atlas.{module}.run_in_groups", one_by_one)
    yield instances


@pytest.mark.parametrize("train", TRAIN.values(), ids=TRAIN)
def test_an_instance_has_the_same_bits_in_any_company(train: Callable[..., list[np.ndarray]]) -> None:
    together = train([0, 1, 2], 1)
    for instances, n_threads in (([2], 1), ([1, 0], 2), ([2, 0, 1], 3)):
        for ours, theirs in zip(together, train(instances, n_threads), strict=True):
            np.testing.assert_array_equal(ours[instances], theirs)


@pytest.mark.parametrize("train", TRAIN.values(), ids=TRAIN)
def test_instances_go_through_the_same_operations_on_the_same_places(
    train: Callable[..., list[np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with noted_in_groups(monkeypatch, "training.torch_engine", "sae.torch_engine") as instances:
        train([0, 1, 2], 2)
        train([1], 1)
    # What is copied out of numpy's memory lies anywhere there; and some calls take no step.
    done = [{entry for entry in noted if entry[0] not in COPIES} for noted in instances]
    trained = [entries for entries in done if any(name in PRODUCTS for name, _, _ in entries)]
    assert len(trained) >= 4
    assert all(entries == trained[0] for entries in trained)
    for name, forms, n_threads in trained[0]:
        assert n_threads == 1
        if name in PRODUCTS and train is not TRAIN["matryoshka"]:  # whose prefixes are parts of arrays
            assert {place for _, _, place in forms} == {0}


@pytest.mark.parametrize("offset", range(0, 64, 4))
def test_samples_may_lie_anywhere(offset: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """numpy's memory is aligned to 16 bytes, wherever the process happens to be."""
    draw = sampling.sample

    def moved(*arguments: Any, **options: Any) -> np.ndarray:
        x = draw(*arguments, **options)
        room = np.empty(x.nbytes + 128, dtype=np.uint8)
        first = (offset - room.ctypes.data) % 64
        there = room[first : first + x.nbytes].view(np.float32).reshape(x.shape)
        there[...] = x
        assert there.ctypes.data % 64 == offset
        return there

    expected = [*toy_models([0], 1), *saes("relu")([0], 1), *attention()]
    for module in ("training.torch_engine", "sae.architecture", "toy_model"):
        monkeypatch.setattr(f"superposition_atlas.{module}.sample", moved)
    for ours, theirs in zip(
        expected, [*toy_models([0], 1), *saes("relu")([0], 1), *attention()], strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def attention() -> list[np.ndarray]:
    trained = train_attention(MODELS, n_heads=2, steps=2, batch_size=8)
    return [trained.W_Q, trained.W_K, trained.W_V, trained.W_O, trained.loss]


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_attention_does_not_know_the_threads_of_torch(n_threads: int) -> None:
    before = torch.get_num_threads()
    with Operands() as operands:
        expected = attention()
    products = [entry for entry in operands.noted if entry[0] in PRODUCTS]
    assert products
    assert all(entry[2] == 1 for entry in products)
    torch.set_num_threads(n_threads)
    try:
        found = attention()
    finally:
        torch.set_num_threads(before)
    for ours, theirs in zip(expected, found, strict=True):
        np.testing.assert_array_equal(ours, theirs)

"""Many samples at once: lists, folders, data loaders and arrays give what a loop over single samples gives."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import pellucid as pl
from pellucid.core.progress import watched

SIZES = ((20, 30), (16, 16), (41, 17), (16, 40), (33, 33), (18, 22), (25, 16), (16, 25), (30, 30), (19, 19))


@pytest.fixture(scope="module")
def sees() -> pl.Model:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(36, 3)).eval()
    how = pl.Preprocess((16, 16), resize=16, mean=(0.5,) * 3, std=(0.5,) * 3)
    return pl.load(net, preprocess=how, labels=["cat", "dog", "owl"])


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number, size in enumerate(SIZES):
        picture = np.random.default_rng(number).integers(0, 255, (*size, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"p{number}.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).eval()


def same(one: pl.Explanation, other: pl.Explanation) -> bool:
    close = torch.allclose(one.values, other.values, atol=1e-6) and torch.allclose(one.output, other.output, atol=1e-5)
    return close and one.target == other.target and one.caption() == other.caption()


@pytest.mark.parametrize("method", ["lrp", "gradient", "occlusion"])
def test_a_list_of_pictures_of_several_sizes_is_a_batch_that_equals_a_loop(sees: pl.Model, photos: Path, method: str):
    files = sorted(photos.glob("*.png"))
    e = pl.explain(sees, files, method=method)
    single = [pl.explain(sees, file, method=method) for file in files]
    assert isinstance(e, pl.Explanation) and len(e) == len(files) and e.names[0] == "p0.png"
    assert all(same(one, other) for one, other in zip(e, single, strict=True))
    assert [one.classes[0][:2] for one in e] == [one.classes[0][:2] for one in single]
    assert all(np.array_equal(one.photograph(), other.photograph()) for one, other in zip(e, single, strict=True))


def test_pictures_in_memory_and_targets_for_each(sees: pl.Model):
    pictures = [np.full((20, 20 + n, 3), 40 * n, np.uint8) for n in range(3)] + [Image.new("RGB", (30, 30))]
    e = pl.explain(sees, pictures, ["cat", "owl", 1, 1])
    assert e.targets == ('logit 0 "cat"', 'logit 2 "owl"', 'logit 1 "dog"', 'logit 1 "dog"')


def test_a_folder_is_a_stream_of_its_pictures(sees: pl.Model, photos: Path):
    stream = pl.explain(sees, str(photos))
    assert isinstance(stream, pl.Explanations) and len(stream) == len(SIZES)
    every = list(stream)
    assert [e.names[0] for e in every] == [f"p{n}.png" for n in range(len(SIZES))]
    assert all(same(e, pl.explain(sees, photos / e.names[0])) for e in every)
    assert len(stream.concat()) == len(SIZES)


def test_a_folder_of_folders_says_the_true_classes(sees: pl.Model, tmp_path: Path):
    for name in ("cat", "owl"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (20, 20), "red").save(tmp_path / name / "one.png")
    every = list(pl.explain(sees, tmp_path, pl.true_class))
    assert [e.labels for e in every] == [("cat",), ("owl",)]
    assert [e.target for e in every] == ['logit 0 "cat"', 'logit 2 "owl"']


def test_a_data_loader_gives_what_a_loop_gives_with_labels(net: nn.Module):
    x, y = torch.randn(10, 4), torch.arange(10) % 3
    stream = pl.explain(net, DataLoader(TensorDataset(x, y), batch_size=4), pl.true_class)
    assert len(stream) == 10
    for row, e in enumerate(stream):
        assert same(e, pl.explain(net, x[row : row + 1], int(y[row]))) and e.labels == (f"class {int(y[row])}",)


def test_data_sets_and_generators_are_read_too(net: nn.Module):
    x = torch.randn(3, 4)
    of_set = list(pl.explain(net, TensorDataset(x, torch.arange(3))))
    of_generator = list(pl.explain(net, (row[None] for row in x)))
    assert all(same(one, other) for one, other in zip(of_set, of_generator, strict=True))
    assert [e.labels for e in of_set] == [("class 0",), ("class 1",), ("class 2",)] and of_generator[0].labels == ()


def test_memory_does_not_grow_with_the_number(net: nn.Module):
    alive = weakref.WeakSet[Any]()
    most = 0
    gc.freeze()  # what other tests have left need not be looked through
    for e in pl.explain(net, (torch.randn(4, 4) for _ in range(20)), 0, "gradient"):
        alive.add(e)
        del e
        gc.collect()
        most = max(most, len(alive))
    assert most <= 5  # those of one batch, and the one that is looked at


def test_progress_is_reported_and_the_rest_can_be_called_off(net: nn.Module):
    said: list[tuple[int, int, str]] = []

    def watch(done: int, total: int, what: str) -> bool:
        if what == "samples":
            said.append((done, total, what))
        return what == "samples" and done >= 8

    with watched(watch):
        found = list(pl.explain(net, DataLoader(TensorDataset(torch.randn(20, 4)), batch_size=4), 0, "gradient"))
    assert said == [(4, 20, "samples"), (8, 20, "samples")] and len(found) == 8


def test_results_are_written_as_they_are_reached(sees: pl.Model, photos: Path, tmp_path: Path):
    files = pl.explain(sees, photos).save(tmp_path / "out", "json,npy")
    assert len(files) == 2 * len(SIZES) and all(file.exists() for file in files)
    assert files[0] == tmp_path / "out" / "p0.lrp.json"


@pytest.mark.parametrize("make", [np.asarray, lambda x: x.tolist(), torch.as_tensor], ids=["array", "list", "tensor"])
def test_doubles_are_taken_in_the_precision_of_the_network(net: nn.Module, make: Callable[[Any], Any]):
    x = np.random.default_rng(0).normal(size=(2, 4))
    assert same(pl.explain(net, make(x), 1), pl.explain(net, torch.tensor(x, dtype=torch.float32), 1))


def test_arrays_of_a_table_are_in_its_own_units(net: nn.Module):
    columns = pl.Columns.named(list("abcd"), "mm", [1.0, 2.0, 3.0, 4.0], [2.0] * 4)
    model, rows = pl.load(net, preprocess=columns), np.random.default_rng(0).normal(3, 2, (3, 4))
    named = pl.explain(model, [dict(zip("abcd", row, strict=True)) for row in rows], 0)
    for given in (rows, rows.astype(np.float32), rows.tolist(), list(rows)):
        assert torch.allclose(pl.explain(model, given, 0).values, named.values, atol=1e-5)
    with pytest.raises(pl.InputError, match=r"shape \(3, 3\)"):
        pl.explain(model, rows[:, :3])


def test_a_data_frame_names_the_columns_of_a_bare_network(net: nn.Module):
    pandas = pytest.importorskip("pandas")
    e = pl.explain(net, pandas.DataFrame(np.ones((2, 4)), columns=list("abcd")), 0)
    assert e.subject is not None and e.subject.names == tuple("abcd")


def test_texts_of_a_folder_are_read(tmp_path: Path):
    words = pl.Text(pl.Vocabulary(["a", "good", "film"]))
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.e, self.h = nn.Embedding(8, 4), nn.Linear(4, 2)

        def forward(self, ids: Tensor) -> Tensor:
            return self.h(self.e(ids).mean(1))

    model = pl.load(Net().eval(), preprocess=words)
    (tmp_path / "one.txt").write_text("a good film")
    (tmp_path / "two.txt").write_text("good")
    every = list(pl.explain(model, tmp_path))
    assert [e.names[0] for e in every] == ["one.txt", "two.txt"]
    assert same(every[0], pl.explain(model, "a good film"))


def test_names_labels_and_classes_of_samples_are_saved(sees: pl.Model, photos: Path, tmp_path: Path):
    e = pl.explain(sees, sorted(photos.glob("*.png"))[:3])
    back = pl.Explanation.load(e.save(tmp_path / "three.safetensors"))
    assert (
        back.names == e.names == ("p0.png", "p1.png", "p2.png") and back.choices == e.choices and back[2].classes == e[2].classes
    )


class Boxes(Dataset[Any]):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        return {"image": torch.zeros(3, 16, 16)}


def empty(folder: Path) -> Path:
    return folder


def of_text(folder: Path) -> Path:
    (folder / "a.txt").write_text("words")
    return folder


def dicts(folder: Path) -> Iterator[Any]:
    return iter(DataLoader(Boxes(), batch_size=2))


NONSENSE = [
    (empty, "a folder without files"),
    (of_text, r"files of other kinds \(1 .txt\)"),
    (dicts, "a dict of image"),
    (lambda folder: ["a.png", "b.txt"], "pictures and texts together"),
    (lambda folder: ["a.png", torch.zeros(1, 3, 16, 16)], "pictures and tensor together"),
    (lambda folder: [], "an empty list"),
    (lambda folder: iter([]), "no sample"),
    (lambda folder: iter([(torch.zeros(2, 3, 16, 16), torch.zeros(3))]), "2 inputs and 3 labels"),
    (lambda folder: iter([(torch.zeros(2, 3, 16, 16), 1, 2)]), "3 things"),
    (lambda folder: iter([3.5]), "an object of type float"),
]


@pytest.mark.parametrize(("given", "found"), NONSENSE, ids=[found for _, found in NONSENSE])
def test_nonsense_is_refused_in_four_parts(sees: pl.Model, tmp_path: Path, given: Callable[[Path], Any], found: str):
    with pytest.raises((pl.InputError, pl.PictureError), match=found) as error:
        list(pl.explain(sees, given(tmp_path)))
    assert all((error.value.asked, error.value.found, error.value.why, error.value.do))


def test_targets_that_are_missing_are_refused(sees: pl.Model, net: nn.Module, photos: Path):
    with pytest.raises(pl.TargetError, match="2 targets for 10 samples"):
        pl.explain(sees, photos, [0, 1])
    with pytest.raises(pl.TargetError, match="do not say what they are"):
        pl.explain(net, torch.zeros(1, 4), pl.true_class)
    with pytest.raises(pl.TargetError, match="there is none for it"):
        list(pl.explain(net, (torch.zeros(1, 4) for _ in range(3)), [0, 1]))

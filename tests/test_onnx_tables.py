"""Models of tables as scikit-learn's exporter writes them: their probabilities, their class names, and explanations of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn

import pellucid as pl
from pellucid.errors import ThreadLost

ML = "ai.onnx.ml"
NAMES = ["setosa", "versicolor", "virginica"]
TABLE, CLASSES = load_iris(return_X_y=True)
TABLE = TABLE.astype(np.float32)
X = torch.from_numpy(TABLE)


def saved(nodes: Sequence[Any], path: Path) -> Any:
    """A file that takes rows of four columns and returns labels and scores, as that exporter names them."""
    sequence = helper.make_sequence_type_proto(
        helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(1, []))
    )
    outputs = [
        helper.make_tensor_value_info("output_label", TensorProto.STRING, ["N"]),
        onnx.ValueInfoProto(name="output_probability", type=sequence),
    ]
    graph = helper.make_graph(nodes, "table", [helper.make_tensor_value_info("X", 1, ["N", 4])], outputs)
    opsets = [helper.make_opsetid(ML, 1), helper.make_opsetid("", 15)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="skl2onnx"), path)
    return pl.load(path)


def node(kind: str, *names: str, **attributes: Any) -> Any:
    inputs, outputs = names[:1], names[1:]
    return helper.make_node(kind, inputs, outputs, kind, domain=ML, **attributes)


ZIP = node("ZipMap", "scores", "output_probability", classlabels_strings=NAMES)


def classifier(kind: str, source: str, **attributes: Any) -> Any:
    return node(kind, source, "output_label", "scores", classlabels_strings=NAMES, **attributes)


@pytest.fixture(scope="module")
def linear() -> Any:
    return StandardScaler().fit(TABLE), LogisticRegression(max_iter=1000).fit(StandardScaler().fit_transform(TABLE), CLASSES)


@pytest.fixture
def logistic(linear, tmp_path) -> Any:
    scaler, model = linear
    scale = node("Scaler", "X", "scaled", offset=scaler.mean_.tolist(), scale=(1 / scaler.scale_).tolist())
    weights = {"coefficients": model.coef_.ravel().tolist(), "intercepts": model.intercept_.tolist()}
    return saved([scale, classifier("LinearClassifier", "scaled", post_transform="SOFTMAX", **weights), ZIP], tmp_path / "a.onnx")


def check(model: Any, chances: Any, *, atol: float = 1e-5) -> None:
    made = model(X)
    torch.testing.assert_close(made["output_probability"].double(), torch.from_numpy(chances).double(), rtol=0, atol=atol)
    assert made["output_label"] == [NAMES[at] for at in chances.argmax(1)]


def test_a_logistic_regression_gives_its_chances_and_the_names_of_its_classes(logistic, linear):
    scaler, model = linear
    check(logistic, model.predict_proba(scaler.transform(TABLE)))
    assert logistic.labels == tuple(NAMES)
    assert [layer.kind for layer in logistic.layers()[1:]] == ["Scaler", "LinearClassifier", "ZipMap"]


def test_a_logistic_regression_is_explained_as_the_same_in_pytorch(logistic, linear):
    scaler, model = linear
    net = nn.Linear(4, 3)
    net.weight.data, net.bias.data = (torch.from_numpy(one).float() for one in (model.coef_, model.intercept_))
    mean, size = (torch.from_numpy(one).float() for one in (scaler.mean_, scaler.scale_))
    made = pl.explain(logistic, X[:3], target="virginica", method="gradient_x_input").values
    torch.testing.assert_close(made, X[:3] * net.weight.detach()[2] / size, rtol=1e-4, atol=1e-5)
    relevance = pl.explain(logistic, X[:3], target="virginica", method="lrp.epsilon")
    twin = pl.explain(lambda x: net((x - mean) * (1 / size)), X[:3], target=2, method="lrp.epsilon")
    torch.testing.assert_close(relevance.values, twin.values, rtol=1e-4, atol=1e-5)


def test_a_vector_machine_gives_its_scores_and_has_a_slope(tmp_path):
    svm = SVC(gamma=0.5, decision_function_shape="ovo").fit(TABLE, CLASSES)
    given = {
        "kernel_type": "RBF", "kernel_params": [0.5, 0.0, 3.0], "vectors_per_class": svm.n_support_.tolist(),
        "rho": svm.intercept_.tolist(),
        "support_vectors": svm.support_vectors_.ravel().tolist(), "coefficients": svm.dual_coef_.ravel().tolist(),
    }  # fmt: skip
    model = saved([classifier("SVMClassifier", "X", **given), ZIP], tmp_path / "svm.onnx")
    made = model(X)
    torch.testing.assert_close(
        made["output_probability"].double(), torch.from_numpy(svm.decision_function(TABLE)), rtol=0, atol=1e-4
    )
    assert made["output_label"] == [NAMES[at] for at in svm.predict(TABLE)]
    row, step = X[60].double(), 1e-3
    slopes = [
        (svm.decision_function((row + way)[None])[0, 0] - svm.decision_function((row - way)[None])[0, 0]) / (2 * step)
        for way in step * torch.eye(4, dtype=torch.float64)
    ]
    made = pl.explain(model, X[60:61], target=0, method="gradient").values[0]
    torch.testing.assert_close(made.double(), torch.tensor(slopes, dtype=torch.float64), rtol=1e-3, atol=1e-3)


def forest_of(model: Any) -> dict[str, list[Any]]:
    """The lists that describe all trees; a threshold is rounded down to what a float can say, as the columns are floats."""
    lists: dict[str, list[Any]] = {}
    for at, tree in enumerate(one.tree_ for one in model.estimators_):
        for number in range(tree.node_count):
            leaf = tree.children_left[number] < 0
            split = np.float32(tree.threshold[number])
            split = np.nextafter(split, np.float32(-np.inf)) if split > tree.threshold[number] else split
            _append(
                lists, nodes_treeids=at, nodes_nodeids=number, nodes_featureids=max(int(tree.feature[number]), 0),
                nodes_values=float(split), nodes_modes="LEAF" if leaf else "BRANCH_LEQ",
                nodes_truenodeids=max(int(tree.children_left[number]), 0),
                nodes_falsenodeids=max(int(tree.children_right[number]), 0),
            )  # fmt: skip
            for target, share in enumerate(tree.value[number, 0]) if leaf else ():
                weight = float(share / tree.value[number, 0].sum() / len(model.estimators_))
                _append(lists, class_treeids=at, class_nodeids=number, class_ids=target, class_weights=weight)
    return lists


def _append(lists: dict[str, list[Any]], **row: Any) -> None:
    for name, value in row.items():
        lists.setdefault(name, []).append(value)


def test_a_forest_gives_its_chances_and_says_that_it_has_no_slope(tmp_path):
    forest = RandomForestClassifier(7, max_depth=4, random_state=0).fit(TABLE, CLASSES)
    model = saved([classifier("TreeEnsembleClassifier", "X", **forest_of(forest)), ZIP], tmp_path / "forest.onnx")
    check(model, forest.predict_proba(TABLE))
    with pytest.raises(ThreadLost, match="TreeEnsembleClassifier"):
        pl.explain(model, X[:1], target=0, method="gradient_x_input")
    explained = pl.explain(model, X[60:61], target="versicolor", method="shapley")
    assert float(explained.output) == pytest.approx(forest.predict_proba(TABLE[60:61])[0, 1], abs=1e-5)
    assert float(explained.values.abs().max()) > 0.1
    assert not [note for note in explained.notes if "one at a time" in note], "the names of classes are no decision"

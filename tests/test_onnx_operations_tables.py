"""Operations of tables, linear models, vector machines and forests, as scikit-learn's exporter has them, against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.onnx_oracle import agree

ML = "ai.onnx.ml"
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(7, 4)).astype(np.float32)
GAPS = np.where(RANDOM.random(X.shape) < 0.2, np.nan, X).astype(np.float32)
WORDS = np.array(["c", "x", "b"], dtype=object)
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
NAN = float("nan")


def numbers(*shape: int) -> list[float]:
    return [float(value) for value in RANDOM.normal(size=shape).ravel()]


FEATURES = [
    ("Scaler", 1, (X,), {"offset": numbers(4), "scale": numbers(4)}),
    ("Scaler", 1, (X,), {"offset": [0.5], "scale": [2.0]}),
    *[("Normalizer", 1, (X,), {"norm": norm}) for norm in ("MAX", "L1", "L2")],
    ("Imputer", 1, (GAPS,), {"imputed_value_floats": numbers(4), "replaced_value_float": NAN}),
    ("Imputer", 1, ((2 * X).astype(np.int64),), {"imputed_value_int64s": [5], "replaced_value_int64": 0}),
    ("Binarizer", 1, (X,), {"threshold": 0.3}),
    ("FeatureVectorizer", 1, (X, X[:, :2]), {"inputdimensions": [4, 2]}),
    ("ArrayFeatureExtractor", 1, (X, np.array([[0, 2]])), {}),
    ("ArrayFeatureExtractor", 1, (X[0], np.array([0, 2])), {}),
    ("OneHotEncoder", 1, (np.array([[1, 2], [3, 9]]),), {"cats_int64s": [1, 2, 3]}),
    ("OneHotEncoder", 1, (WORDS,), {"cats_strings": ["b", "c"]}),
    ("CategoryMapper", 1, (WORDS[:, None],), {"cats_strings": ["b", "c"], "cats_int64s": [4, 5]}),
    ("CategoryMapper", 1, (np.array([[4], [7]]),), {"cats_strings": ["b", "c"], "cats_int64s": [4, 5]}),
    ("LabelEncoder", 1, (np.array([[0], [7]]),), {"classes_strings": ["b", "c"]}),
    ("LabelEncoder", 1, (WORDS,), {"classes_strings": ["b", "c"]}),
    ("LabelEncoder", 2, (GAPS,), {"keys_floats": [NAN], "values_strings": ["gap"]}),
    ("LabelEncoder", 2, (np.array([[1, 2]]),), {"keys_int64s": [1, 5], "values_floats": [0.5, 0.25], "default_float": 9.0}),
    ("LabelEncoder", 4, (WORDS,), {"keys_strings": ["b", "c"], "values_strings": ["one", "two"], "default_string": "?"}),
]


@pytest.mark.parametrize(
    ("kind", "opset", "inputs", "attributes"), FEATURES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_column_is_made_ready_as_onnxruntime_does(kind, opset, inputs, attributes):
    agree(kind, opset, *inputs, domain=ML, **attributes)


@pytest.mark.parametrize("scores", ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"])
def test_a_linear_model_gives_the_scores_and_the_class_of_onnxruntime(scores):
    agree("LinearRegressor", 1, X, domain=ML, targets=3, coefficients=numbers(3, 4), intercepts=numbers(3), post_transform=scores)
    for count, names in ((3, [3, 1, 2]), (1, [0, 1])):
        given = {"coefficients": numbers(count, 4), "intercepts": numbers(count), "classlabels_ints": names}
        agree("LinearClassifier", 1, X, domain=ML, outputs=2, post_transform=scores, **given)


@pytest.mark.parametrize("kernel", ["LINEAR", "POLY", "RBF", "SIGMOID"])
def test_a_vector_machine_gives_the_scores_and_the_class_of_onnxruntime(kernel):
    kernels = {"kernel_type": kernel, "kernel_params": [0.5, 0.2, 2.0], "domain": ML}
    vectors = {"n_supports": 5, "support_vectors": numbers(5, 4), "coefficients": numbers(5), "rho": [0.3]}
    for one_class in (0, 1):
        agree("SVMRegressor", 1, X, one_class=one_class, **kernels, **vectors)
    for classes in (2, 3, 4):
        pairs, sizes = classes * (classes - 1) // 2, [3, 2, 4, 2][:classes]
        chances = {"prob_a": [-1.0 - 0.1 * at for at in range(pairs)], "prob_b": [0.1] * pairs}
        given = {
            "support_vectors": numbers(sum(sizes), 4), "coefficients": numbers(classes - 1, sum(sizes)), "rho": numbers(pairs),
            "vectors_per_class": sizes, "classlabels_ints": list(range(classes)), "outputs": 2, **kernels,
        }  # fmt: skip
        agree("SVMClassifier", 1, X, **given)
        agree("SVMClassifier", 1, X, **given, **chances, atol=6e-3)  # onnxruntime stops its search near the optimum


def forest(what: str, targets: list[int], *, depth: int = 3, positive: bool = False) -> dict[str, Any]:
    """Three full trees with every way to compare, in the lists that the format has for them."""
    nodes: dict[str, list[Any]] = {}
    leaves: dict[str, list[Any]] = {}
    for tree in range(3):
        for at in range(2 ** (depth + 1) - 1):
            leaf = at >= 2**depth - 1
            _append(
                nodes, treeids=tree, nodeids=at, featureids=int(RANDOM.integers(4)), values=numbers(1)[0],
                modes="LEAF" if leaf else MODES[int(RANDOM.integers(6))], truenodeids=0 if leaf else 2 * at + 1,
                falsenodeids=0 if leaf else 2 * at + 2, missing_value_tracks_true=int(RANDOM.integers(2)),
            )  # fmt: skip
            for target in targets if leaf else ():
                weight = abs(numbers(1)[0]) if positive else numbers(1)[0]
                _append(leaves, treeids=tree, nodeids=at, ids=target, weights=weight)
    return {f"nodes_{name}": row for name, row in nodes.items()} | {f"{what}_{name}": row for name, row in leaves.items()}


def _append(columns: dict[str, list[Any]], **row: Any) -> None:
    for name, value in row.items():
        columns.setdefault(name, []).append(value)


@pytest.mark.parametrize("opset", [1, 3])
@pytest.mark.parametrize("scores", ["NONE", "SOFTMAX", "LOGISTIC"])
def test_a_forest_of_classes_is_walked_as_onnxruntime_does(opset, scores):
    common = {"domain": ML, "outputs": 2, "post_transform": scores}
    agree("TreeEnsembleClassifier", opset, GAPS, classlabels_int64s=[5, 6, 7], **common, **forest("class", [0, 1, 2]))
    positive = forest("class", [0], positive=True)
    agree("TreeEnsembleClassifier", opset, GAPS, classlabels_strings=["a", "b"], **common, **positive)


def test_two_classes_with_one_score_of_both_signs_are_told_apart_at_zero():
    common = {"domain": ML, "outputs": 2, "post_transform": "LOGISTIC", "classlabels_int64s": [0, 1]}
    agree("TreeEnsembleClassifier", 3, GAPS, **common, **forest("class", [0]))
    agree("TreeEnsembleClassifier", 3, GAPS, **common, base_values=[0.3], **forest("class", [0]))


@pytest.mark.parametrize("how", ["SUM", "AVERAGE", "MIN", "MAX"])
def test_a_forest_of_numbers_is_added_up_as_onnxruntime_does(how):
    given = forest("target", [0, 1])
    agree("TreeEnsembleRegressor", 3, GAPS, domain=ML, n_targets=2, aggregate_function=how, base_values=[0.5, -0.25], **given)

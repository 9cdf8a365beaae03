"""What may be asked of MongoDB: plain operations on single documents.

Everything else scales badly or differs between servers, the embedded one among them (it stores text
for a `$push` of a document, and its transactions do not isolate).
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = [*ROOT.glob("libs/*/src/**/*.py"), *ROOT.glob("services/*/src/**/*.py")]

OPERATORS = {"$push", "$pull", "$pullAll", "$pop", "$addToSet", "$or", "$nor", "$where", "$expr"}
CALLS = {
    *("aggregate", "bulk_write", "count_documents", "distinct", "watch"),
    *("start_session", "start_transaction", "with_transaction"),
}


def uses_mongo(tree: ast.Module) -> bool:
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return any(
        module.startswith("pymongo") or module == "tracemypods.kit.mongo" for module in modules
    )


def offences(source: str) -> set[str]:
    """The forbidden operators and calls in a module."""
    tree = ast.parse(source)
    found: set[str] = set()
    if not uses_mongo(tree):
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in OPERATORS:
            found.add(str(node.value))
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name = node.func.attr
        if name in CALLS:
            found.add(name)
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        if name == "create_index" and "'_id'" in ast.dump(node):
            found.add("an index with _id")
        updates = ("update_one", "update_many", "find_one_and_update")
        if name in updates and any(isinstance(one, ast.List) for one in arguments):
            found.add("an update as a pipeline")
    return found


def test_only_plain_operations_are_used() -> None:
    found = {path.relative_to(ROOT): offences(path.read_text()) for path in SOURCES}
    assert {path: what for path, what in found.items() if what} == {}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('c.update_one({}, {"$push": {"a": 1}})', "$push"),
        ('c.find({"$or": []})', "$or"),
        ("c.aggregate([])", "aggregate"),
        ('c.count_documents({"a": 1})', "count_documents"),
        ("client.start_session()", "start_session"),
        ('c.create_index([("a", 1), ("_id", 1)])', "an index with _id"),
        ('c.update_one({}, [{"$set": {"a": 1}}])', "an update as a pipeline"),
    ],
)
def test_the_rule_is_held(line: str, what: str) -> None:
    assert offences(f"from pymongo import AsyncMongoClient\n{line}\n") == {what}
    assert offences(f"{line}\n") == set()

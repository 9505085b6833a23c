"""Evaluates claims such as `median(lstm.wrong) <= 3` over the recorded seeds, on the syntax tree, never with eval.

A claim is one comparison. `preset.metric` is a column with one number per seed; arithmetic on columns pairs them by
seed; mean, median, min, max and count turn a column into a number; a comparison inside them is a column of 0 and 1.
"""

import ast
import math
import operator
import statistics
from typing import NamedTuple

from catalog.runs import Table
from catalog.stubs import CatalogError, Stub

OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
}
REDUCERS = {"mean": statistics.fmean, "median": statistics.median, "min": min, "max": max, "count": sum}
Value = float | dict[int, float]


class Unmeasured(Exception):
    """A preset that the claim needs has no recorded run."""


class Verdict(NamedTuple):
    holds: bool | None  # None: not measured
    measured: str  # the left side with its range over the seeds
    bound: str  # what it had to be, e.g. "<= 3"
    seeds: int  # how many seeds went into it


def evaluate(claim: str, table: Table) -> Verdict:
    """Judge a claim on final metrics; CatalogError if it is not one comparison in the grammar above."""
    comparison = parse(claim)
    bound = f"{ast.unparse(ast.Compare(ast.Name(''), comparison.ops, comparison.comparators)).strip()}"
    try:
        left, right = number(comparison.left, table), number(comparison.comparators[0], table)
        seeds = min(len(table[preset]) for preset, _ in names(claim))
    except Unmeasured:
        return Verdict(None, "not measured", bound, 0)
    return Verdict(compare(comparison.ops[0], left, right), shown(comparison.left, left, table), bound, seeds)


def smoke(condition: str, metrics: dict[str, float]) -> tuple[bool, float]:
    """Judge a condition such as `wrong < 400` on one run's metrics; returns the verdict and the left side."""
    comparison = parse(condition)

    class Qualify(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return ast.Call(ast.Name("mean"), [ast.Attribute(ast.Name("smoke"), node.id)], [])

    table = {"smoke": {0: metrics}}
    left, right = (number(Qualify().visit(side), table) for side in (comparison.left, comparison.comparators[0]))
    return compare(comparison.ops[0], left, right), left


def names(claim: str) -> set[tuple[str, str]]:
    """Every preset.metric the claim mentions."""
    found = (node for node in ast.walk(parse(claim)) if isinstance(node, ast.Attribute))
    return {(node.value.id, node.attr) for node in found if isinstance(node.value, ast.Name)}


def parse(claim: str) -> ast.Compare:
    try:
        tree = ast.parse(claim, mode="eval").body
    except SyntaxError:
        raise CatalogError(f"claim {claim!r} is no expression") from None
    if not isinstance(tree, ast.Compare) or len(tree.ops) != 1 or type(tree.ops[0]) not in OPERATORS:
        raise CatalogError(f"claim {claim!r} must be one comparison, such as median(preset.metric) < 1")
    return tree


def compare(op: ast.cmpop, left: float, right: float) -> bool:
    return bool(OPERATORS[type(op)](left, right))


def number(node: ast.expr, table: Table) -> float:
    """The value of one side of a claim, which has to be a number and not a column."""
    value = resolve(node, table)
    if isinstance(value, dict):
        raise CatalogError(f"claim part {ast.unparse(node)!r} is one value per seed; wrap it in median() or the like")
    return value


def resolve(node: ast.expr, table: Table) -> Value:
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return pair(operator.mul, -1.0, resolve(operand, table))
        case ast.Attribute(value=ast.Name(id=preset), attr=metric):
            return column(preset, metric, table)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return pair(OPERATORS[type(op)], resolve(left, table), resolve(right, table))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
            return pair(OPERATORS[type(op)], resolve(left, table), resolve(right, table))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in REDUCERS:
            values = resolve(argument, table)
            if not isinstance(values, dict):
                raise CatalogError(f"claim part {ast.unparse(node)!r} needs a preset.metric inside {name}()")
            return float(REDUCERS[name](values.values()))
    raise CatalogError(f"claim part {ast.unparse(node)!r} is not allowed")


def column(preset: str, metric: str, table: Table) -> dict[int, float]:
    if not table.get(preset):
        raise Unmeasured
    if any(metric not in metrics for metrics in table[preset].values()):
        raise CatalogError(f"preset {preset!r} records no metric {metric!r}")
    return {seed: metrics[metric] for seed, metrics in table[preset].items()}


def pair(function, left: Value, right: Value) -> Value:
    """Apply a binary function seed by seed, to the seeds both sides have."""
    if isinstance(left, dict) and isinstance(right, dict):
        if not left.keys() & right.keys():
            raise Unmeasured
        return {seed: pair(function, left[seed], right[seed]) for seed in sorted(left.keys() & right.keys())}
    if isinstance(left, dict):
        return {seed: pair(function, value, right) for seed, value in left.items()}
    if isinstance(right, dict):
        return {seed: pair(function, left, value) for seed, value in right.items()}
    try:
        return float(function(left, right))
    except ZeroDivisionError:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left)


def show(value: float) -> str:
    """A measured number for a table: four digits, counts whole, infinity as a word."""
    if math.isinf(value):
        return "never"
    return (
        f"{value:,.0f}"
        if value == round(value) and abs(value) < 1e7
        else f"{value:.3g}"
        if abs(value) < 1e3
        else f"{value:,.0f}"
    )


def shown(node: ast.expr, value: float, table: Table) -> str:
    """The measured left side: shares as `9 of 10`, everything else with its range over the seeds."""
    if isinstance(node, ast.Call) and isinstance(values := resolve(node.args[0], table), dict):
        if isinstance(node.args[0], ast.Compare):
            return f"{sum(values.values()):.0f} of {len(values)}"
        if len(values) > 1:
            return f"{show(value)} ({show(min(values.values()))} to {show(max(values.values()))})"
    return show(value)


def verdict(stub: Stub, table: Table) -> tuple[str, int, int]:
    """(yes, partly or no; claims held; claims made): counted over the claims the paper makes, not over ours."""
    held = [evaluate(holds, table).holds is True for _, _, said, holds in stub.claims if said != "ours"]
    word = "yes" if all(held) and held else "partly" if any(held) else "no"
    return word, sum(held), len(held)

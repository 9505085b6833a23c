"""Evaluates claims such as `median(lstm.wrong) <= 3` over the recorded seeds, on the syntax tree, never with eval.

A claim is one comparison. `preset.metric` is a column with one number per seed; arithmetic on columns pairs them by
seed; mean, median, min, max and count turn a column into a number; a comparison inside them is a column of 0 and 1.
"""

import ast
import math
import operator
import statistics
from collections.abc import Callable
from typing import NamedTuple

from catalog.runs import Table
from catalog.stubs import CatalogError, Stub

COMPARISONS = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
}
ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
REDUCERS = {"mean": statistics.fmean, "median": statistics.median, "min": min, "max": max, "count": sum}
Value = float | dict[int, float]


class Unmeasured(Exception):
    """A preset that the claim needs has no recorded run."""


class Verdict(NamedTuple):
    holds: bool | None  # None: not measured
    measured: str  # the left side with its range over the seeds
    seeds: int  # how many seeds went into it


def evaluate(claim: str, table: Table) -> Verdict:
    """Judge a claim on final metrics; CatalogError if it is not one comparison in the grammar above."""
    comparison = parse(claim)
    try:
        holds, left = judge(comparison, table)
        seeds = min(len(table[preset]) for preset, _ in names(claim))
        return Verdict(holds, shown(comparison.left, left, table), seeds)
    except Unmeasured:
        return Verdict(None, "not measured", 0)


def smoke(condition: str, metrics: dict[str, float]) -> tuple[bool, float]:
    """Judge a condition such as `wrong < 400` on one run's metrics; returns the verdict and the left side."""
    return judge(parse(condition), {"": {0: metrics}})


def judge(comparison: ast.Compare, table: Table) -> tuple[bool, float]:
    """The verdict and the left side, both sides of which have to be numbers and not columns."""
    sides = [resolve(side, table) for side in (comparison.left, comparison.comparators[0])]
    if any(isinstance(side, dict) for side in sides):
        raise CatalogError(f"claim {ast.unparse(comparison)!r} compares one value per seed; use median() or the like")
    return bool(COMPARISONS[type(comparison.ops[0])](*sides)), sides[0]


def names(claim: str) -> set[tuple[str, str]]:
    """Every preset.metric the claim mentions."""
    found = (node for node in ast.walk(parse(claim)) if isinstance(node, ast.Attribute))
    return {(node.value.id, node.attr) for node in found if isinstance(node.value, ast.Name)}


def parse(claim: str) -> ast.Compare:
    """The syntax tree of a claim; CatalogError unless it is one comparison."""
    try:
        tree = ast.parse(claim, mode="eval").body
    except SyntaxError:
        raise CatalogError(f"claim {claim!r} is no expression") from None
    if not isinstance(tree, ast.Compare) or len(tree.ops) != 1 or type(tree.ops[0]) not in COMPARISONS:
        raise CatalogError(f"claim {claim!r} must be one comparison, such as median(preset.metric) < 1")
    return tree


def resolve(node: ast.expr, table: Table) -> Value:
    """The number or column an expression stands for; CatalogError at whatever the grammar does not have."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return pair(operator.mul, -1.0, resolve(operand, table))
        case ast.Attribute(value=ast.Name(id=preset), attr=metric):
            return column(preset, metric, table)
        case ast.Name(id=metric) if "" in table:
            return column("", metric, table)[0]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            return pair(ARITHMETIC[type(op)], resolve(left, table), resolve(right, table))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
            return pair(COMPARISONS[type(op)], resolve(left, table), resolve(right, table))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in REDUCERS:
            if isinstance(values := resolve(argument, table), dict):
                return float(REDUCERS[name](values.values()))
    raise CatalogError(f"claim part {ast.unparse(node)!r} is not allowed")


def column(preset: str, metric: str, table: Table) -> dict[int, float]:
    """The metric of every recorded seed of the preset."""
    if not table.get(preset):
        raise Unmeasured
    if any(metric not in metrics for metrics in table[preset].values()):
        raise CatalogError(f"preset {preset!r} records no metric {metric!r}")
    return {seed: metrics[metric] for seed, metrics in table[preset].items()}


def pair(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Apply a binary function, seed by seed where there are columns, to the seeds both sides have."""
    columns = [side for side in (left, right) if isinstance(side, dict)]
    if columns:
        seeds = sorted(set.intersection(*map(set, columns)))
        if not seeds:
            raise Unmeasured
        sides = [side if isinstance(side, dict) else dict.fromkeys(seeds, side) for side in (left, right)]
        return {seed: pair(function, sides[0][seed], sides[1][seed]) for seed in seeds}
    try:
        return float(function(left, right))
    except ZeroDivisionError:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left)


def show(value: float) -> str:
    """A measured number for a table: counts whole, others with three digits, infinity (not solved) as a word."""
    if math.isinf(value):
        return "never"
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.3g}"


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
    return "yes" if held and all(held) else "partly" if any(held) else "no", sum(held), len(held)

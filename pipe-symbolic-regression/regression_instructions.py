"""What the functions in a program do. Values are arrays (points,), or floats where they are the same at all points."""

import operator

import numpy as np


def divide(a: np.ndarray | float, b: np.ndarray | float) -> np.ndarray | float:
    """Protected division: 1 where the divisor is 0."""
    if isinstance(b, float):
        return a / b if b else 1.0
    quotient = a / b
    quotient[b == 0] = 1.0
    return quotient


def rlog(a: np.ndarray | float) -> np.ndarray | float:
    """Protected logarithm: log |a|, and 0 where a is 0."""
    if isinstance(a, float):
        return np.log(abs(a)) if a else 0.0
    logarithm = np.log(np.abs(a))
    logarithm[a == 0] = 0.0
    return logarithm


def exp(a: np.ndarray | float) -> np.ndarray | float:
    """Exponential function, constant from 50 on."""
    return np.exp(np.minimum(a, 50))


ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "%": divide}  # of two arguments
ELEMENTARY = {"sin": np.sin, "cos": np.cos, "exp": exp, "rlog": rlog}  # of one argument

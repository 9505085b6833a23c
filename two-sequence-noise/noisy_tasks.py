"""The tasks of section 5.3 of the paper, and the rules by which their answers are right and training may stop."""

from typing import NamedTuple

import numpy as np


class Task(NamedTuple):
    """One of the tasks of section 5.3."""

    targets: tuple[float, float]  # of class 1 (the first values are +1) and class 2 (-1)
    target_variance: float  # of the noise on the training targets
    signal_variance: float  # of the noise on the first N values
    noise_variance: float  # of all other values
    longest: float  # greatest length, in units of T
    tolerance: float  # an output is right if it is less than this off
    most_wrong: int  # of 256 test sequences, for stop rule ST1
    mean_error: float  # less than this on average, for stop rule ST2


TASKS = {
    "3a": Task((1.0, 0.0), 0.0, 0.0, 0.2, 1.1, 0.2, 0, 0.01),
    "3b": Task((1.0, 0.0), 0.0, 0.2, 0.2, 1.1, 0.2, 5, 0.04),
    "3c": Task((0.2, 0.8), 0.1, 0.0, 0.2, 1.1, 0.1, 0, 0.015),
    "reference": Task((0.2, 0.8), 0.1, 0.04, 1.0, 1.0, 0.1, 0, 0.015),  # of the reference catalogue, with N = 10
}


def rate_outputs(task: Task, output: np.ndarray, clean: np.ndarray) -> dict[str, float]:
    """Metrics of outputs (B,) against the targets without noise.

    wrong: share that is not less than the tolerance off; distance: mean distance to the target; side: share on the
    right side of 0.5.
    """
    error = np.abs(output - clean)
    return {
        "wrong": float((error >= task.tolerance).mean()),
        "distance": float(error.mean()),
        "side": float(((output > 0.5) == (clean > 0.5)).mean()),
    }


def stop_rules(task: Task, output: np.ndarray, clean: np.ndarray) -> tuple[bool, bool]:
    """Whether outputs (B,) meet ST1, few enough wrong, and ST2, a small mean error besides."""
    error = np.abs(output - clean)
    st1 = bool((error >= task.tolerance).sum() <= task.most_wrong)
    return st1, st1 and bool(error.mean() < task.mean_error)

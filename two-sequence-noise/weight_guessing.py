"""Random guessing of the weights of one tanh unit with a sigmoid output, many guesses side by side.

A guess is five weights: from the constant 1, the input x and the unit's own output y to the unit, and from y and 1 to
the output: y(t) = tanh(b + w x(t) + u y(t-1)), output = sigmoid(v y + c). If u is large, y latches an early input.
"""

from collections.abc import Callable, Iterator

import numpy as np

from noisy_tasks import Task

GUESSES = 1000  # judged side by side; changes the time they take and the sequences they see, not what they must meet


def as_params(guess: np.ndarray) -> dict[str, np.ndarray]:
    """The weights of one guess (5,) as those of an RNN with one unit (see memory_cell.rnn_forward)."""
    return {"W": guess[None, :3], "V": guess[3:4], "c": guess[4:]}


def latch(guesses: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Outputs (K,) of the guesses (5, K) after the values x (T,)."""
    b, w, u, v, c = guesses
    y = np.zeros(guesses.shape[1])
    for x_t in x:
        y = np.tanh(b + w * x_t + u * y)
    return 0.5 + 0.5 * np.tanh((v * y + c) / 2)


def judge(
    guesses: np.ndarray, x: np.ndarray, length: np.ndarray, target: np.ndarray, tolerance: float, most_wrong: int
) -> tuple[np.ndarray, np.ndarray]:
    """Run guesses (5, K) on sequences x (T, B) one by one; drop each as soon as it has more than `most_wrong` wrong.

    Returns on how many sequences each was run (K,), and its mean absolute error (K,), infinite if it was dropped.
    """
    K = guesses.shape[1]
    seen, wrong, total, alive = np.zeros(K, int), np.zeros(K, int), np.zeros(K), np.arange(K)
    for b in range(len(length)):
        error = np.abs(latch(guesses[:, alive], x[: length[b], b]) - target[b])
        seen[alive] += 1
        wrong[alive] += error >= tolerance
        total[alive] += error
        alive = alive[wrong[alive] <= most_wrong]
        if len(alive) == 0:
            break
    return seen, np.where(wrong <= most_wrong, total / len(length), np.inf)


def search(
    rng: np.random.Generator, draw: Callable, task: Task, guess_range: float, budget: int
) -> Iterator[tuple[int, dict[str, np.ndarray], dict[str, float]]]:
    """Draw guesses from [-guess_range, guess_range] until one meets ST2, or they were run on `budget` sequences.

    Every GUESSES of them are judged on sequences of their own, draw() -> Batch, by the rules of `task`. Yields the
    sequences run, the guess that lasted longest (in the end the one found), and the costs, the sequences run until ST1
    and ST2 were first met.
    """
    step, best, longest, costs = 0, np.zeros(5), 0, {"st1": np.inf, "presentations": np.inf}
    yield step, as_params(best), costs
    while step < budget and np.isinf(costs["presentations"]):
        guesses, batch = rng.uniform(-guess_range, guess_range, (5, GUESSES)), draw()
        seen, error = judge(guesses, batch.x[:, 0], batch.length, batch.clean, task.tolerance, task.most_wrong)
        used = step + np.cumsum(seen)  # sequences run when each of the guesses has been judged
        for rule, met in zip(costs, (error < np.inf, error < task.mean_error), strict=True):
            costs[rule] = float(min(costs[rule], *used[met & (used <= budget)], np.inf))
        found = used == costs["presentations"]
        k = np.argmax(found) if found.any() else np.argmax(seen)
        if found.any() or seen[k] > longest:
            best, longest = guesses[:, k], seen[k]
        step = int(min(used[-1], costs["presentations"], budget))
        yield step, as_params(best), costs

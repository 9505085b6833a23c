"""Time one training update of an LSTM: the stub's, a plain per-gate numpy loop, and torch.nn.LSTM if installed.

Usage: OPENBLAS_NUM_THREADS=1 python3 bench/lstm_step.py. T = 100 steps, batch 32, 8 cells with forget gates, one
output at the last step, squared error, gradient clipping, Adam; float32. Every competitor does forward, backward and
optimiser. Rounds alternate between the competitors and the least CPU time of each counts, so that other work on the
machine hurts all of them alike.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "adding-problem"))
import adding_problem as stub

T, B, N = 100, 32, 8
ROUNDS, UPDATES = 15, 20


def stub_update(cell: str) -> Callable[[], None]:
    """The update of adding-problem: `cell` "forget" is the modern LSTM, "lstm" the cell of 1997 with fed-back gates."""
    cfg = stub.Config(cell=cell, blocks=N, cells=1, batch=B, marks="halves", lag=T)
    params = stub.init(cfg, np.random.default_rng(0))
    batch, optimizer = stub.sample(cfg, np.random.default_rng(1)), stub.Adam(params)

    def update() -> None:
        _, grads = stub.loss_and_grad(cfg, params, batch)
        stub.clip_norm(grads, 1.0)
        optimizer.step(params, grads, 0.01)

    return update


def plain_update() -> Callable[[], None]:
    """What one writes first: four gates one after the other, weight gradients summed step by step."""
    rng = np.random.default_rng(0)
    params = {f"W{gate}": rng.normal(0, 0.3, (N, N + 2)).astype(np.float32) for gate in "iofg"}
    params |= {f"b{gate}": np.zeros((N, 1), np.float32) for gate in "iofg"}
    params |= {"V": rng.normal(0, 0.3, (1, N)).astype(np.float32), "c": np.zeros((1, 1), np.float32)}
    optimizer = stub.Adam(params)
    x, target = rng.normal(size=(T, 2, B)).astype(np.float32), rng.random((1, B)).astype(np.float32)

    def logistic(z: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-np.clip(z, -50, 50)))

    def update() -> None:
        h, s, steps = np.zeros((N, B), np.float32), np.zeros((N, B), np.float32), []
        for t in range(T):
            u = np.concatenate([x[t], h])
            i = logistic(params["Wi"] @ u + params["bi"])
            o = logistic(params["Wo"] @ u + params["bo"])
            f = logistic(params["Wf"] @ u + params["bf"])
            g = np.tanh(params["Wg"] @ u + params["bg"])
            before, s = s, f * s + i * g
            squashed = np.tanh(s)
            h = o * squashed
            steps.append((u, i, o, f, g, before, squashed))
        error = params["V"] @ h + params["c"] - target
        grads = {name: np.zeros_like(p) for name, p in params.items()}
        grads["V"], grads["c"] = error @ h.T / B, error.sum(1, keepdims=True) / B
        dh, ds = params["V"].T @ error / B, np.zeros((N, B), np.float32)
        for u, i, o, f, g, before, squashed in reversed(steps):
            ds = ds + dh * o * (1 - squashed**2)
            errors = {
                "i": ds * g * i * (1 - i),
                "o": dh * squashed * o * (1 - o),
                "f": ds * before * f * (1 - f),
                "g": ds * i * (1 - g**2),
            }
            du = np.zeros((N + 2, B), np.float32)
            for gate, dz in errors.items():
                grads[f"W{gate}"] += dz @ u.T
                grads[f"b{gate}"] += dz.sum(1, keepdims=True)
                du += params[f"W{gate}"].T @ dz
            dh, ds = du[2:], ds * f
        stub.clip_norm(grads, 1.0)
        optimizer.step(params, grads, 0.01)

    return update


def torch_update() -> Callable[[], None]:
    """torch.nn.LSTM on one thread. Raises ImportError without torch."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    lstm, output = torch.nn.LSTM(2, N), torch.nn.Linear(N, 1)
    params = [*lstm.parameters(), *output.parameters()]
    optimizer = torch.optim.Adam(params, lr=0.01)
    x, target = torch.randn(T, B, 2), torch.rand(B, 1)

    def update() -> None:
        optimizer.zero_grad()
        h, _ = lstm(x)
        ((output(h[-1]) - target) ** 2).mean().backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()

    return update


def main() -> int:
    """Print milliseconds of CPU time per update and the ratio to the stub's."""
    updates = {
        "this catalogue": stub_update("forget"),
        "  cell of 1997": stub_update("lstm"),
        "plain numpy": plain_update(),
    }
    try:
        updates["torch.nn.LSTM"] = torch_update()
    except ImportError:
        print("torch is not installed: left out")
    best = dict.fromkeys(updates, np.inf)
    for _ in range(ROUNDS):
        for name, update in updates.items():
            start = time.process_time()
            for _ in range(UPDATES):
                update()
            best[name] = min(best[name], (time.process_time() - start) / UPDATES)
    print(f"T = {T}, batch {B}, {N} cells, CPU ms per update (least of {ROUNDS} rounds of {UPDATES})")
    for name, seconds in best.items():
        print(f"{name:<16} {1000 * seconds:6.2f}   this catalogue / it = {best['this catalogue'] / seconds:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

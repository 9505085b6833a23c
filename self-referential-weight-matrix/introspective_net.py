"""The 'introspective' net of 1993: it reads and changes its own weights, one by one, by their addresses.

Every connection, also those of the units that read and write, has a binary address. Analysing units `ana` point at a
connection and the net gets its weight as an input at the next step; modifying units `mod` point at a connection and
the unit Delta says by how much it changes:

    val(t+1) = sum_a g(|ana - adr(w_a)|) w_a
    w_a(t+1) = w_a(t) + Delta g(|adr(w_a) - mod|)
    g(d) = exp(-kappa d^2)

The task is the smallest in which something has to be learned within an episode: the function is identity or negation,
its value is shown at one input, and then it is asked at one input. Activations are reset between the two patterns.

Symbols: n_conn connections w; m bits per address; h hidden units; an episode has T patterns, each of which is shown for
S steps; B episodes are on the first axis of most arrays.
"""

from typing import NamedTuple

import numpy as np

OUTPUTS = 2  # besides ana and mod: the answer o and Delta
INPUTS = 4  # x, label (0 if none is shown), val and the constant 1; then the hidden units of the step before


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


class Layout(NamedTuple):
    """Where the connections are: first those to the h hidden units, then those to o, Delta, ana (m) and mod (m)."""

    h: int
    m: int
    adr: np.ndarray  # (n_conn, m) addresses, bits 0 or 1

    def matrices(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """w (..., n_conn) as matrices to the hidden units (..., h, 4 + h) and to the outputs (..., 2 + 2m, h + 1)."""
        cut, lead = self.h * (INPUTS + self.h), w.shape[:-1]
        return w[..., :cut].reshape(*lead, self.h, -1), w[..., cut:].reshape(*lead, -1, self.h + 1)


def layout(h: int) -> Layout:
    """A net with h hidden units and the fewest address bits that tell its connections apart."""
    m = 1
    while (n_conn := h * (INPUTS + h) + (OUTPUTS + 2 * m) * (h + 1)) > 2**m:
        m += 1
    return Layout(h, m, ((np.arange(n_conn)[:, None] >> np.arange(m)) & 1).astype(float))


class Episodes(NamedTuple):
    x: np.ndarray  # (T, B) patterns, -1 or 1
    label: np.ndarray  # (T, B) the function's value where it is shown, else 0
    y: np.ndarray  # (B,) right answers to the last pattern


def all_episodes() -> Episodes:
    """Both functions, shown at either input and asked at either input: 8 episodes, there are no more."""
    sign, shown, asked = np.array([(f, a, b) for f in (1, -1) for a in (1, -1) for b in (1, -1)], float).T
    return Episodes(np.array([shown, asked]), np.array([sign * shown, np.zeros(8)]), sign * asked)


def peak(pointer: np.ndarray, adr: np.ndarray, kappa: float) -> np.ndarray:
    """g(|pointer - adr|) for pointers (B, m) and all addresses, (B, n_conn); costs n_conn log n_conn."""
    d2 = (pointer**2).sum(axis=1, keepdims=True) - 2 * pointer @ adr.T + adr.sum(axis=1)
    return np.exp(-kappa * d2)


def peak_back(pointer: np.ndarray, adr: np.ndarray, kappa: float, g: np.ndarray, dg: np.ndarray) -> np.ndarray:
    """Gradient by the pointers (B, m), from that by their peaks g."""
    return -2 * kappa * (pointer * (dg * g).sum(axis=1, keepdims=True) - (dg * g) @ adr)


class Step(NamedTuple):
    w: np.ndarray  # (B, n_conn) weights before the step
    a: np.ndarray  # (B, 4 + h) inputs x, label, val, 1 and the hidden units of the step before
    b: np.ndarray  # (B, h + 1) hidden units, 1
    o: np.ndarray  # (B,) answer, as a logit
    Delta: np.ndarray  # (B, 1)
    ana: np.ndarray  # (B, m)
    mod: np.ndarray  # (B, m)
    g_ana: np.ndarray  # (B, n_conn) how much every connection is read
    g_mod: np.ndarray  # (B, n_conn) and changed


def step(net: Layout, w: np.ndarray, a: np.ndarray, kappa: float, writes: float) -> Step:
    """One step of the net; `writes` is 1, or 0 if the weights shall stay."""
    W_hidden, W_out = net.matrices(w)
    hidden = np.tanh((W_hidden @ a[:, :, None])[..., 0])
    b = np.concatenate([hidden, np.ones((len(w), 1))], axis=1)
    out = (W_out @ b[:, :, None])[..., 0]
    ana, mod = sigmoid(out[:, OUTPUTS : OUTPUTS + net.m]), sigmoid(out[:, OUTPUTS + net.m :])
    g_ana, g_mod = peak(ana, net.adr, kappa), peak(mod, net.adr, kappa)
    return Step(w, a, b, out[:, 0], writes * out[:, 1:2], ana, mod, g_ana, g_mod)


def run(net: Layout, w: np.ndarray, episodes: Episodes, steps: int, kappa: float, writes: float) -> list[Step]:
    """All T * steps steps from initial weights w (n_conn,). Only the weights outlive a pattern, not h and not val."""
    B, trace = episodes.x.shape[1], []
    w = np.broadcast_to(w, (B, len(w)))
    for x, label in zip(episodes.x, episodes.label, strict=True):
        hidden, val = np.zeros((B, net.h)), np.zeros(B)
        for _ in range(steps):
            a = np.concatenate([np.stack([x, label, val, np.ones(B)], axis=1), hidden], axis=1)
            trace.append(step(net, w, a, kappa, writes))
            now = trace[-1]
            hidden, val, w = now.b[:, :-1], (now.g_ana * w).sum(axis=1), w + now.Delta * now.g_mod
    return trace


def loss_and_grad(
    net: Layout, w: np.ndarray, episodes: Episodes, steps: int, kappa: float, writes: float
) -> tuple[float, np.ndarray]:
    """Cross-entropy (nats) of the answers after the last step, and its gradient by the initial weights (n_conn,)."""
    trace, y = run(net, w, episodes, steps, kappa, writes), episodes.y
    o, B = trace[-1].o, len(y)
    dw, do = np.zeros((B, len(w))), -y * sigmoid(-y * o) / B
    for t in reversed(range(len(trace))):
        if t % steps == steps - 1:  # a pattern's last step: nothing but the weights goes on from here
            dhidden, dval = np.zeros((B, net.h)), np.zeros(B)
        s = trace[t]
        W_hidden, W_out = net.matrices(s.w)
        dana = peak_back(s.ana, net.adr, kappa, s.g_ana, dval[:, None] * s.w)
        dmod = peak_back(s.mod, net.adr, kappa, s.g_mod, dw * s.Delta)
        dDelta = writes * (dw * s.g_mod).sum(axis=1)
        dout = np.concatenate(
            [np.stack([do, dDelta], axis=1), dana * s.ana * (1 - s.ana), dmod * s.mod * (1 - s.mod)], axis=1
        )
        db = (dout[:, None] @ W_out)[:, 0]
        dnet = (db[:, :-1] + dhidden) * (1 - s.b[:, :-1] ** 2)
        da = (dnet[:, None] @ W_hidden)[:, 0]
        direct = [(d[:, :, None] * s_in[:, None]).reshape(B, -1) for d, s_in in ((dnet, s.a), (dout, s.b))]
        dw = dw + dval[:, None] * s.g_ana + np.concatenate(direct, axis=1)
        dval, dhidden, do = da[:, 2], da[:, INPUTS:], np.zeros(B)
    return float(np.logaddexp(0, -y * o).mean()), dw.sum(axis=0)


def real_time_gradient(
    net: Layout, w: np.ndarray, episodes: Episodes, steps: int, kappa: float, writes: float
) -> np.ndarray:
    """The same gradient the way of 1993, carried forward in time, for one episode (B = 1).

    p_w = dw(t) / dw(0), (n_conn, n_conn), and so for val and the hidden units. What is carried does not grow with
    the length of an episode; a step costs n_conn^2 log n_conn.
    """
    n, cut = len(w), net.h * (INPUTS + net.h)
    p_w = np.eye(n)
    for t, s in enumerate(run(net, w, episodes, steps, kappa, writes)):
        if t % steps == 0:
            p_val, p_hidden = np.zeros(n), np.zeros((net.h, n))
        W_hidden, W_out = net.matrices(s.w[0])
        p_a = np.concatenate([np.zeros((2, n)), p_val[None], np.zeros((1, n)), p_hidden])
        p_net = W_hidden @ p_a + np.einsum("ijk,j->ik", p_w[:cut].reshape(net.h, -1, n), s.a[0])
        p_hidden = (1 - s.b[0, :-1, None] ** 2) * p_net
        p_out = W_out[:, :-1] @ p_hidden + np.einsum("ijk,j->ik", p_w[cut:].reshape(-1, net.h + 1, n), s.b[0])
        p_ana = (s.ana * (1 - s.ana)).T * p_out[OUTPUTS : OUTPUTS + net.m]
        p_mod = (s.mod * (1 - s.mod)).T * p_out[OUTPUTS + net.m :]
        p_g_ana = -2 * kappa * s.g_ana.T * (s.ana @ p_ana - net.adr @ p_ana)
        p_g_mod = -2 * kappa * s.g_mod.T * (s.mod @ p_mod - net.adr @ p_mod)
        p_val = s.g_ana[0] @ p_w + s.w[0] @ p_g_ana
        p_w = p_w + writes * np.outer(s.g_mod[0], p_out[1]) + s.Delta[0] * p_g_mod
    y = episodes.y
    return (-y * sigmoid(-y * s.o)) @ p_out[:1]


def evaluate(
    net: Layout, w: np.ndarray, episodes: Episodes, steps: int, kappa: float, writes: float
) -> dict[str, float]:
    """Share of right answers, and how sharply the net writes and reads: share of the largest peak in the sum of all."""
    trace = run(net, w, episodes, steps, kappa, writes)
    g_ana, g_mod = (np.array([getattr(s, name) for s in trace]) for name in ("g_ana", "g_mod"))
    focus = [float((g.max(axis=2) / g.sum(axis=2)).mean()) for g in (g_ana, g_mod)]
    right = float(((trace[-1].o > 0) == (episodes.y > 0)).mean())
    return {"query_acc": right, "read_focus": focus[0], "write_focus": focus[1]}

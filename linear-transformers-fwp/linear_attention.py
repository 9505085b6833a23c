"""Linear attention: feature maps, both of its forms (over all pairs, and as fast weights), and both write rules.

Functions that are learned through return their value and its pullback, which turns a gradient with respect to the
value into gradients with respect to the arguments. Sections are those of Schlag, Irie & Schmidhuber, ICML 2021.
"""

from collections.abc import Callable, Iterator

import numpy as np

Pullback = Callable[[np.ndarray], np.ndarray]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def features(phi: str, nu: int, x: np.ndarray) -> tuple[np.ndarray, Pullback]:
    """Feature map phi of the rows of x, (n, d) -> (n, d_dot), and its pullback; "identity", "elu" or "dpfp"."""
    if phi == "identity":
        return x, lambda g: g
    if phi == "elu":  # elu(x) + 1, section 5.1
        slope = np.exp(np.minimum(x, 0))
        return np.maximum(x, 0) + slope, lambda g: g * slope
    # DPFP-nu, section 5.3: products of the rectified r = relu([x, -x]) with itself, rolled by 1..nu places.
    r = np.maximum(np.concatenate([x, -x], axis=1), 0)
    rolled = [np.roll(r, j, axis=1) for j in range(1, nu + 1)]

    def pull(g: np.ndarray) -> np.ndarray:
        parts = zip(rolled, np.split(g, nu, axis=1), strict=True)
        dr = sum(part * s + np.roll(part * r, -j, axis=1) for j, (s, part) in enumerate(parts, 1)) * (r > 0)
        return dr[:, : x.shape[1]] - dr[:, x.shape[1] :]

    return np.concatenate([r * s for s in rolled], axis=1), pull


def softmax_scores(k: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], dict[str, np.ndarray]]]:
    """exp(q_i . k_j / sqrt(d)) for all queries and keys, (S, S), each row up to a factor; pullback to k and q."""
    scale = np.sqrt(k.shape[1])
    logits = q @ k.T / scale
    G = np.exp(logits - logits.max(axis=1, keepdims=True))  # the maximum cancels in the normalisation

    def pull(dG: np.ndarray) -> dict[str, np.ndarray]:
        dlogits = dG * G / scale
        return {"k": dlogits.T @ q, "q": dlogits @ k}

    return G, pull


def normalise(x: np.ndarray) -> tuple[np.ndarray, Pullback]:
    """Non-negative x divided by its sum over the last axis (0 where that is 0), and the pullback."""
    z = x.sum(axis=-1, keepdims=True) + 1e-6
    y = x / z
    return y, lambda g: (g - (g * y).sum(axis=-1, keepdims=True)) / z


def fast_weights(f: np.ndarray, v: np.ndarray, beta: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Program a memory step by step: yield W, (d_value, d_dot), after each write of v_t under the features f_t.

    f: (T, d_dot); v: (T, d_value); beta: (T,) write strengths of the delta rule (section 4.2), None for the sum rule.
    """
    W = np.zeros((v.shape[1], f.shape[1]))
    for t in range(len(f)):
        W = W + (np.outer(v[t], f[t]) if beta is None else beta[t] * np.outer(v[t] - W @ f[t], f[t]))
        yield W


def attention(f_q: np.ndarray, f_k: np.ndarray, v: np.ndarray, normalised: bool) -> np.ndarray:
    """Causal linear attention without a memory: y_t = sum_{s<=t} v_s (f_k_s . f_q_t), (T, d_value)."""
    scores = np.tril(f_q @ f_k.T)
    return (scores / scores.sum(axis=1, keepdims=True) if normalised else scores) @ v


def equivalence(rng: np.random.Generator, T: int = 64, d: int = 64) -> dict[str, np.ndarray]:
    """|attention - fast weights| / max |attention| at every prefix of a random sequence, for all feature maps."""
    k, q, v = rng.normal(size=(3, T, d))
    gaps = {}
    for phi in ("identity", "elu", "dpfp"):
        f_k, f_q = features(phi, 2, k)[0], features(phi, 2, q)[0]
        for normalised in (False, True):
            # The normaliser z = sum_t f_t is one more row of W, written with the value 1.
            read = [W @ f for W, f in zip(fast_weights(f_k, np.c_[v, np.ones(T)]), f_q, strict=True)]
            y = np.array([r[:-1] / r[-1] if normalised else r[:-1] for r in read])
            a = attention(f_q, f_k, v, normalised)
            gaps[f"{phi}, {'normalised' if normalised else 'plain'}"] = np.abs(a - y).max(axis=1) / np.abs(a).max()
    return gaps


def replay(
    f_k: np.ndarray, f_q: np.ndarray, beta: np.ndarray | None, keys: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Write one sequence of pairs step by step and ask for all keys after each write.

    f_k, f_q: (S, d_dot); beta: (S,) for the delta rule, None for the sum rule; keys, values: (T,) numbers below S.
    Returns the losses 0.5 |y - one-hot last value|^2, (T, S); nan before a key's first write.
    """
    S = len(f_k)
    v = np.c_[np.eye(S)[values], np.ones(len(values))]  # the last row of W is the normaliser z of the sum rule
    wanted, losses = np.full((S, S), np.nan), []
    for t, W in enumerate(fast_weights(f_k[keys], v, None if beta is None else beta[keys])):
        wanted[keys[t]] = v[t, :-1]
        y = f_q @ W.T
        y = y[:, :-1] / (y[:, -1:] + 1e-6 if beta is None else 1)
        losses.append(0.5 * ((y - wanted) ** 2).sum(axis=1))
    return np.array(losses)


def sum_rule(G: np.ndarray, keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, Pullback]:
    """Answers of the sum rule, read with the normaliser z, after sequences of pairs; pullback to G.

    G: (S, S) phi(q_i) . phi(k_j); keys, values: (B, T) numbers below S. Returns y, (B, S, S): attention over keys,
    times how often each was written, to the mean of its one-hot values.
    """
    one_hot = np.eye(len(G), dtype=G.dtype)
    pairs = one_hot[keys].transpose(0, 2, 1) @ one_hot[values]  # (B, S, S) how often v was written to k
    times = pairs.sum(axis=2)
    means = pairs / np.maximum(times, 1)[..., None]
    A, pull_A = normalise(G * times[:, None])
    return A @ means, lambda dy: (pull_A(dy @ means.transpose(0, 2, 1)) * times[:, None]).sum(axis=0)


def sum_rule_floor(S: int, length: int) -> float:
    """Smallest expected loss per key asked, Setting 2, of a memory that weighs all values of a key alike.

    A key that occurred m times, m binomial, then gives the mean of m values drawn from S, and the last of them is
    wanted: 0.5 (1 - 1/S) E[(m - 1)/m], over m >= 1.
    """
    m = np.arange(length + 1)
    log_factorial = np.concatenate([[0], np.log(m[1:]).cumsum()])
    log_p = log_factorial[-1] - log_factorial - log_factorial[::-1] - m * np.log(S) + (length - m) * np.log(1 - 1 / S)
    p = np.exp(log_p)[1:]
    return float(0.5 * (1 - 1 / S) * (p * (1 - 1 / m[1:])).sum() / p.sum())


def delta_rule(
    f_k: np.ndarray, f_q: np.ndarray, beta: np.ndarray, keys: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Answers of the delta rule after sequences of pairs, without a loop over time; pullback to f_k, f_q and beta.

    f_k, f_q: (S, d_dot) features of all keys and queries; beta: (S,) write strength of each key; keys, values: (B, T)
    numbers below S. Returns y, (B, S, S), the answers to all queries.

    W_t = sum_{s<=t} u_s f_s^T with u_t = beta_t (v_t - W_{t-1} f_t) makes the changes U = (u_1 .. u_T)^T the solution
    of M U = diag(beta) V with M = I + diag(beta) tril(F F^T, -1).
    """
    one_hot = np.eye(len(f_k), dtype=f_k.dtype)
    K, V = one_hot[keys], one_hot[values]  # (B, T, S)
    KT, b = K.transpose(0, 2, 1), beta[keys][..., None]
    overlap = K @ (f_k @ f_k.T) @ KT  # (B, T, T) f_s . f_t
    M_inv = np.linalg.inv(np.tril(b * overlap, -1) + np.eye(b.shape[1], dtype=b.dtype))
    U = M_inv @ (b * V)
    read = (f_q @ f_k.T) @ KT  # (B, S, T)

    def pull(dy: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        UT = U.transpose(0, 2, 1)
        D = M_inv.transpose(0, 2, 1) @ (read.transpose(0, 2, 1) @ dy)  # gradient of the right hand side
        dM = -np.tril(D @ UT, -1)
        db = (D * V).sum(axis=2) + (dM * overlap).sum(axis=2)
        dkk = (KT @ (b * dM) @ K).sum(axis=0)
        dqk = np.tensordot(dy @ UT, K, axes=((0, 2), (0, 1)))
        return (dkk + dkk.T) @ f_k + dqk.T @ f_q, dqk @ f_k, np.tensordot(db, K, axes=2)

    return read @ U, pull


def last_values(keys: np.ndarray, values: np.ndarray, S: int) -> np.ndarray:
    """The value that each sequence, (B, T), writes last under each key, (B, S); -1 where the key does not occur."""
    last = np.full((len(keys), S), -1)
    rows = np.arange(len(last))
    for key, value in zip(keys.T, values.T, strict=True):
        last[rows, key] = value
    return last


def answer_loss(y: np.ndarray, keys: np.ndarray, values: np.ndarray) -> tuple[float, np.ndarray]:
    """Loss of the answers y, (B, S, S), to the question for each key that occurred, and its gradient."""
    wanted = last_values(keys, values, y.shape[1])
    error = (y - np.eye(y.shape[1], dtype=y.dtype)[wanted]) * (wanted >= 0)[..., None]
    asked = (wanted >= 0).sum()
    return 0.5 * float(np.vdot(error, error)) / float(asked), error / asked

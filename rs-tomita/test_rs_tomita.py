"""Facts about the seven languages, the nets that read them, and the search: nothing here is trained."""

import re

import numpy as np
import pytest

import rs_tomita as stub
import string_nets
import tomita_languages as tomita


def no_odd_zeros_after_odd_ones(string):
    blocks = re.findall("0+|1+", string)
    odd = [block[0] for block in blocks if len(block) % 2]
    return "1" not in odd or "0" not in odd[odd.index("1") :]


DEFINITIONS = {
    1: lambda s: re.fullmatch("1*", s) is not None,
    2: lambda s: re.fullmatch("(10)*", s) is not None,
    3: no_odd_zeros_after_odd_ones,
    4: lambda s: "000" not in s,
    5: lambda s: s.count("0") % 2 == 0 and s.count("1") % 2 == 0,
    6: lambda s: (s.count("1") - s.count("0")) % 3 == 0,
    7: lambda s: re.fullmatch("0*1*0*1*", s) is not None,
}


@pytest.mark.parametrize("language", DEFINITIONS)
def test_automata_training_strings_and_walks_agree_with_the_definitions(language):
    automaton, member = tomita.LANGUAGES[language], DEFINITIONS[language]
    for string in ["", *tomita.all_strings(13)]:
        assert automaton.accepts(string) == member(string)
    inside, outside = (strings.split() for strings in tomita.TOMITA_STRINGS[language])
    assert all(map(member, inside)) and not any(map(member, outside))
    rng = np.random.default_rng(0)
    for label in (True, False):
        walks = tomita.walk_strings(language, label, 20, 50, rng)
        assert all(len(string) == 50 and member(string) == label for string in walks)
    chosen = tomita.random_strings(language, 5, 10, rng)
    assert [member(string) for string in chosen] == [True] * 5 + [False] * 5
    assert len(set(chosen)) == 10


@pytest.mark.parametrize("language", DEFINITIONS)
def test_a_saturated_second_order_net_can_imitate_each_automaton(language):
    """Unit 0 says "accept", the others are the states, one-hot. The net starts with unit 0 alone, in state 0."""
    automaton = tomita.LANGUAGES[language]
    states = range(len(automaton.delta))
    W = np.zeros((2, len(states) + 1, len(states) + 1, 1))
    for symbol in (0, 1):
        columns = []
        for state in states:
            successor = automaton.delta[state][symbol]
            on = [successor in automaton.accepting, *(successor == q for q in states)]
            columns.append(np.where(on, 30.0, -30.0))
        W[symbol, :, 0, 0] = columns[0]
        for state in states:  # where unit 0 is on beside the state, its column must not count twice
            W[symbol, :, state + 1, 0] = columns[state] - (columns[0] if state in automaton.accepting else 0)
    net = string_nets.unpack("second_order", len(states) + 1, W.reshape(-1, 1))
    accuracy, balanced = string_nets.accuracies(net, tomita.prefix_tree(tomita.all_strings(10), language))
    assert accuracy == balanced == 1


@pytest.mark.parametrize("net", ["second_order", "tanh", "automaton"])
def test_batched_search_finds_what_a_plain_loop_over_strings_finds(net):
    """Index, weights and strings read of every search, against one net and one string at a time in float64."""
    cfg = stub.Config(net=net, units=3, weight_range=1.0 if net == "automaton" else 4.0, searches=4, snapshots=2)
    strings = sorted(["1", "0", "11", "10", "00", "0110", "1111"], key=lambda s: (len(s), s[-1], s))
    *_, found = stub.guess(cfg, tomita.prefix_tree(strings, 1), np.random.default_rng(1))
    draws = stub.draw(cfg, stub.BATCH, np.random.default_rng(1)).T.astype(float)
    fitting, trials, read = [], [0], [0]
    for w in draws:
        trials[-1] += 1
        for string in strings:
            read[-1] += 1
            if plain_verdict(net, w, string) != DEFINITIONS[1](string):
                break
        else:
            fitting.append(w)
            trials.append(0)
            read.append(0)
            if len(fitting) == 4:
                break
    assert found.trials.tolist() == trials[:-1]
    assert found.strings.tolist() == read[:-1]
    np.testing.assert_array_equal(found.weights.T, fitting)


def plain_verdict(net, w, string, N=3):
    if net == "automaton":
        state = 0
        for x in map(int, string):
            state = int((w[x * N + state] + 1) / 2 * N)
        return w[2 * N + state] > 0
    if net == "tanh":
        h, recurrent = np.zeros(N), w[: N * N].reshape(N, N)
        for x in map(int, string):
            h = np.tanh(recurrent @ h + w[N * N + x * N :][:N])
        return w[-N - 1 : -1] @ h > w[-1]
    h, tensor = np.eye(N)[0], w.reshape(2, N, N)
    for x in map(int, string):  # the bilinear form of the papers, with the symbol one-hot
        h = 1 / (1 + np.exp(-np.einsum("xij,x,j->i", tensor, np.eye(2)[x], h)))
    return h[0] > 0.5


def test_gradient_of_every_weight_against_central_differences():
    cfg = stub.Config(searches=2)
    tree = tomita.prefix_tree(["0", "10", "011", "0110", "111"], 1)
    W = np.random.default_rng(2).uniform(-2, 2, (2, 3, 3, 2))
    grad = stub.loss_and_grad(cfg, {"W": W}, tree)[1]["W"]
    for place in np.ndindex(W.shape):
        losses = []
        for shift in (1e-5, -1e-5):
            moved = W.copy()
            moved[place] += shift
            losses.append(stub.loss_and_grad(cfg, {"W": moved}, tree)[0])
        assert abs((losses[0] - losses[1]) / 2e-5 - grad[place]) < 1e-8

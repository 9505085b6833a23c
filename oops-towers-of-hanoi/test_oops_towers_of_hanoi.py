"""Facts about the machine, the search and the optimal solution, without any search for solutions."""

from collections import deque
from itertools import permutations

import numpy as np

import oops_search
import oops_towers_of_hanoi as stub
import reference_words
from move_stream import Stream, optimal_moves
from oops_machine import ASKS, DESTINATION, FAILED, INSTRUCTIONS, MOVES, ORDERS, SOLVED, begin, run

ANBN = [("emit1", None), ("rec", ()), ("emit2", None), ("ret", None)]
HANOI = [("rec", (0, 2, 1)), ("mv", None), ("rec", (1, 0, 2)), ("ret", None)]
NAMES = [*INSTRUCTIONS, "idle0", "idle1"]


class Ended(Exception):
    """Raised by interpret() with how the run ended, SOLVED, ASKS or FAILED."""


def interpret(code, programs, instance):
    """How a run ends, and the pegs and the number of moves then: the machine again, by plain recursion, no memory."""
    pegs, moves, printed, calls = list(instance.pegs), 0, 0, 0

    def call(ip, start, args, n):
        nonlocal moves, printed, calls
        calls += 1
        if calls > 200:
            raise Ended(FAILED)
        while True:
            if pegs and set(pegs) == {DESTINATION}:
                raise Ended(SOLVED)
            if ip == len(code):
                raise Ended(ASKS)
            name, operand = code[ip]
            ip += 1
            if name == "ret":
                return
            if name in MOVES:
                source, target = (args[i] if args else None for i in MOVES[name])
                if source not in pegs or target in pegs[: pegs.index(source)]:
                    raise Ended(FAILED)
                pegs[pegs.index(source)] = target
                moves += 1
            elif name in ("emit1", "emit2"):
                if not instance.text.startswith(instance.text[:printed] + name[-1]):
                    raise Ended(FAILED)
                printed += 1
            elif name == "callq":
                call(programs[operand - 1][0], programs[operand - 1][0], args, n)
            elif name == "rec" and n > 1:
                if operand and not args:
                    raise Ended(FAILED)
                call(start, start, [args[i] for i in operand], n - 1)

    start = programs[-1][1]
    try:
        call(start, start, list(instance.args), instance.n)
        status = SOLVED if instance.text and printed == len(instance.text) else FAILED
    except Ended as end:
        status = end.args[0]
    return status, tuple(pegs), moves


def searcher():
    """A searcher that has frozen three programs."""
    oops = oops_search.Oops(NAMES, 10**6)
    oops.code, oops.programs = [*ANBN, *HANOI, ("callq", 2), ("ret", None)], [(0, 4), (4, 8), (8, 10)]
    return oops


def grow(oops, instance, rng):
    """Add a random cell whenever the run asks for one, up to eight; all (status, state) on the way, time limit 300."""
    state, time, seen = begin(instance, len(oops.code)), 0, []
    for _ in range(9):
        status, state, time = run(oops.code, oops.programs, state, time, 300)
        seen.append((status, state))
        if status != ASKS or len(seen) == 9:
            return seen
        cells = [cell for cell, _ in oops.choices(state.boosted, len(state.frame.args))]
        oops.code.append(cells[rng.integers(len(cells))])
    return seen


def test_runs_agree_with_a_plain_interpreter_and_remembered_calls_change_nothing():
    rng, ended, remembered = np.random.default_rng(0), 0, 0
    for i in range(2500):
        oops, n = searcher(), int(rng.integers(1, 5))
        if i % 2:
            instance = stub.hanoi(n) if i % 4 == 1 else stub.anbn(n)
            status, state = grow(oops, instance, rng)[-1]
        else:  # longer programs, from cells with which the run goes on
            instance = stub.Instance((0, 1, 2), n, "", (0,) * n + (*rng.integers(3, size=3).tolist(), 0))
            status, state, time = ASKS, begin(instance, len(oops.code)), 0
            cells = [cell for cell, _ in oops.choices(frozenset(), 3)] + 4 * [("callq", 2), ("callq", 3)]
            for k in rng.integers(len(cells), size=25):
                oops.code.append(cells[k])
                how, after, now = run(oops.code, oops.programs, state, time, 300)
                if how == ASKS:
                    state, time = after, now
                else:
                    oops.code.pop()
        expected, pegs, moves = interpret(oops.code, oops.programs, instance)
        if FAILED in (status, expected):  # both have failed, or one has come to its limit
            assert SOLVED not in (status, expected)
        else:
            assert (status, state.pegs, state.moves) == (expected, pegs, moves)
            ended, remembered = ended + 1, remembered + (len(state.memo) > 1)
    assert ended > 600
    assert remembered > 200
    for n in range(1, 11):
        for args in permutations(range(3)):
            instance = stub.Instance(args, n, "", (args[0],) * n + (0,))  # the larger disk stays, so it is not solved
            _, state, _ = run([*HANOI, ("callq", 1)], [(0, 4)], begin(instance, 4), 0, np.inf)
            assert (state.pegs[:n], state.moves) == ((args[2],) * n, 2**n - 1)


def test_backtracking_restores_code_and_states_exactly():
    rng = np.random.default_rng(1)
    for i in range(1000):
        oops = searcher()
        instance = (stub.hanoi if i % 2 else stub.anbn)(int(rng.integers(2, 4)))
        status, state = grow(oops, instance, rng)[-1]
        if status != ASKS:
            continue
        before, copy = list(oops.code), repr(state)
        oops.limit, oops.tasks, oops.start = 200.0, [instance, stub.hanoi(9)], 10
        if not oops.attempt(state, 0, 1.0, 0):
            assert oops.code == before
            assert repr(state) == copy
            again = run(oops.code, oops.programs, begin(instance, 10), 0, np.inf)[1]
            assert again == state  # as if the whole prefix were run from its start


def test_probabilities_add_up_and_boosting_gains_what_the_weights_say():
    oops, size = searcher(), len(NAMES)
    for boosted in (frozenset(), frozenset({1}), frozenset({1, 2, 3})):
        for args in (0, 3):
            np.testing.assert_allclose(sum(p for _, p in oops.choices(boosted, args)), 1, rtol=1e-12)
    oops.code, oops.programs, oops.tables = list(ANBN), [(0, 4)], {}
    favoured = size + 1  # four of weight K + 1, the others of weight 1: 5 K together; after the boost 9 K
    assert oops.weights(frozenset())["mv"] == favoured
    plain = favoured / 6**2 / (5 * size) ** 4
    prefix = favoured / (5 * size)
    all_boosted = 9 * size - favoured  # then boostq has nothing left to boost
    boosted = prefix * favoured * (1 + size) ** 3 / 6**2 / all_boosted**4
    np.testing.assert_allclose(oops.probability(HANOI, 3), plain, rtol=1e-12)
    np.testing.assert_allclose(oops.probability([("boostq", 1), *HANOI], 3), boosted, rtol=1e-12)


def test_search_visits_the_prefixes_that_naive_levin_search_visits(monkeypatch):
    names, instance = [name for name in NAMES if name != "boostq"], stub.hanoi(9)
    p = {name: (1 + len(names) * (name in oops_search.FAVOURED)) / (4 * len(names) - 1) for name in names}
    cells = [((name, order), p[name] / 6) if name == "rec" else ((name, None), p[name])
             for name in names if name != "callq" for order in (ORDERS if name == "rec" else (None,))]  # fmt: skip

    def naive(prefix, probability, limit):
        """All prefixes that get at least one step more than the one they continue."""
        status, _, time = run(prefix, [], begin(instance, 0), 0, probability * limit)
        for cell, share in cells if status == ASKS else ():
            if time + 1 <= probability * share * limit:
                yield (*prefix, cell)
                yield from naive([*prefix, cell], probability * share, limit)

    def watched(code, *rest):
        visited.append(tuple(code))
        return run(code, *rest)

    monkeypatch.setattr(oops_search, "run", watched)
    for limit in np.geomspace(100, 5e7, 10):
        oops, visited = oops_search.Oops(names, 10**6), []
        oops.limit = limit
        assert not oops.test(0, [instance], 1.0)
        assert visited == [(), *naive([], 1.0, limit)]
    assert len(visited) > 1000


def test_the_solver_makes_the_optimal_moves_which_are_legal_and_shortest():
    stream = Stream(HANOI, [(0, 4)], 0)
    for n in range(1, 17):
        assert stream.is_optimal(n)
        assert not Stream([HANOI[0], HANOI[1], HANOI[0], HANOI[3]], [], 0).is_optimal(n) or n == 1
    for n in range(1, 11):
        pegs = [0] * n
        for t, move in enumerate(optimal_moves(n, 1, 2**n - 1).tolist(), start=1):
            source, target = divmod(move, 3)
            disk = pegs.index(source)
            assert disk == (t & -t).bit_length() - 1
            assert target not in pegs[:disk]
            pegs[disk] = target
        assert pegs == [DESTINATION] * n
    for n in range(1, 7):
        distance, queue = {(0,) * n: 0}, deque([(0,) * n])
        while (DESTINATION,) * n not in distance:
            pegs = queue.popleft()
            for source, target in permutations(range(3), 2):
                if source in pegs and target not in pegs[: pegs.index(source)]:
                    disk = pegs.index(source)
                    after = (*pegs[:disk], target, *pegs[disk + 1 :])
                    if after not in distance:
                        distance[after] = distance[pegs] + 1
                        queue.append(after)
        assert distance[(DESTINATION,) * n] == 2**n - 1


def test_known_programs_solve_their_tasks_and_the_reference_words_need_each_other():
    for n in range(1, 31):
        for code, instance, moves in ((ANBN, stub.anbn(n), 0), (HANOI, stub.hanoi(n), 2**n - 1)):
            status, state, time = run(code, [], begin(instance, 0), 0, 1000)
            assert (status, state.moves) == (SOLVED, moves)
            assert time < 20 * n
            assert run(code[::-1], [], begin(instance, 0), 0, 1000)[0] != SOLVED
            assert run([code[0], code[-1]], [], begin(instance, 0), 0, 1000)[0] == FAILED
    words = [("M",), *[("SD", "C", "SD", "M", "SA", "C")] * 4]
    for n in range(1, 6):
        pegs = [0] * n
        assert reference_words.execute(words, n, (0, 1, 2), pegs) and pegs == [2] * n
        assert n == 1 or not reference_words.execute([("M", "M"), *words[1:]], n, (0, 1, 2), [0] * n)

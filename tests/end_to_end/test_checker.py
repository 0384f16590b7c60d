"""The history checker, proved by planted defects."""

from collections.abc import Callable

import pytest

from tests.end_to_end.checker import Commit, History, Outcome, Poll, Promise, Rebalance, Send, anomalies


def sound() -> History:
    """Two producers, two partitions, two readers; some outcomes unknown; nothing wrong."""
    history = History()
    for number in range(20):
        partition = number % 2
        offset = number // 2
        value = b"%d" % number
        outcome = Outcome.UNKNOWN if number in (6, 7) else Outcome.OK
        producer = "a" if partition == 0 else "b"
        history.sends.append(
            Send(producer, partition, value, outcome, offset if outcome is Outcome.OK else None)
        )
        history.polls.append(Poll("first", partition, offset, value))
    history.sends.append(Send("a", 0, b"failed", Outcome.FAILED))
    history.sends.append(Send("a", 0, b"unknown, and not there", Outcome.UNKNOWN))
    history.polls += [Rebalance("second"), Poll("second", 0, 4, b"8"), Poll("second", 0, 5, b"10")]
    history.polls += [Rebalance("second"), Poll("second", 0, 2, b"4")]
    history.commits += [Commit(0, 3), Commit(1, 2), Commit(0, 3), Commit(0, 9)]
    return history


def test_a_sound_history_has_no_anomalies() -> None:
    assert anomalies(sound()) == []


def lose(history: History) -> None:
    history.polls = [poll for poll in history.polls if not (isinstance(poll, Poll) and poll.value == b"16")]


def hide_the_end(history: History) -> None:
    history.polls = [poll for poll in history.polls if not (isinstance(poll, Poll) and poll.value == b"19")]


def lose_without_offset(history: History) -> None:
    history.sends.append(Send("a", 0, b"acknowledged as known already", Outcome.OK, None))


def read_something_else(history: History) -> None:
    history.polls.append(Poll("third", 1, 4, b"10"))


def acknowledge_another_offset(history: History) -> None:
    history.sends[4] = Send("a", 0, b"4", Outcome.OK, 1)


def duplicate(history: History) -> None:
    history.polls.append(Poll("third", 1, 10, b"19"))


def invent(history: History) -> None:
    history.polls.append(Poll("third", 1, 10, b"never sent"))


def read_a_failed_send(history: History) -> None:
    history.polls.append(Poll("third", 0, 10, b"failed"))


def reorder_the_unknown(history: History) -> None:
    history.polls.append(Poll("third", 0, 10, b"late"))
    history.sends.insert(0, Send("a", 0, b"late", Outcome.UNKNOWN))


def acknowledge_backwards(history: History) -> None:
    history.sends.append(Send("a", 0, b"0 again", Outcome.OK, 0))


def poll_backwards(history: History) -> None:
    history.polls += [Poll("third", 0, 5, b"10"), Poll("third", 0, 4, b"8")]


def poll_twice(history: History) -> None:
    history.polls += [Poll("third", 0, 5, b"10"), Poll("third", 0, 5, b"10")]


def poll_over_a_record(history: History) -> None:
    history.polls += [Poll("third", 0, 5, b"10"), Poll("third", 0, 7, b"14")]


def commit_backwards(history: History) -> None:
    history.commits.append(Commit(0, 8))


@pytest.mark.parametrize(
    ("defect", "kind"),
    [
        (lose, "lost"),
        (lose_without_offset, "lost"),
        (hide_the_end, "unseen"),
        (read_something_else, "inconsistent_offset"),
        (acknowledge_another_offset, "inconsistent_offset"),
        (duplicate, "duplicate"),
        (invent, "invented"),
        (read_a_failed_send, "aborted_read"),
        (reorder_the_unknown, "reordered"),
        (acknowledge_backwards, "nonmonotonic_send"),
        (poll_backwards, "nonmonotonic_poll"),
        (poll_twice, "nonmonotonic_poll"),
        (poll_over_a_record, "poll_skip"),
        (commit_backwards, "committed_backwards"),
    ],
)
def test_a_planted_defect_is_named(defect: Callable[[History], None], kind: str) -> None:
    history = sound()
    defect(history)
    assert kind in {anomaly.kind for anomaly in anomalies(history)}


def test_less_is_expected_where_less_is_promised() -> None:
    history = sound()
    lose(history)
    duplicate(history)
    kinds = {anomaly.kind for anomaly in anomalies(history, Promise(durable=False, idempotent=False))}
    # The reader that jumped over the lost record did so because it is not there.
    assert kinds == set()

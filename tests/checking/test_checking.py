"""The exercise engine: what it accepts, what it rejects, and what it says."""

import numpy as np
import pytest
import torch
from checking_helpers import centre, make, message

from tutorial_lib.checking import NotYet


def test_right_answer_is_returned_itself():
    answer = lambda x: x - x.mean(-1)[..., None]  # noqa: E731
    assert make().check(answer) is answer


def test_known_mistake_is_named_before_the_table():
    exercise = make()

    @exercise.mistake("You centre the columns.")
    def columns(x):
        return x - x.mean(axis=0)

    text = message(lambda x: x - x.mean(0), exercise)
    assert "You centre the columns." in text
    assert text.index("You centre") < text.index("The smallest")


def test_mistake_found_on_half_of_the_failures_is_offered_with_its_count():
    exercise = make()

    @exercise.mistake("You centre the columns.")
    def columns(x):
        return x - x.mean(axis=0)

    def answer(x):
        return x - x.mean(0) if x.dtype == np.float64 else x * 0 + 7 + x**3

    assert "of 8 wrong tries this fits: You centre the columns." in message(answer, exercise)


def test_smallest_failing_case_is_shown_in_full():
    text = message(lambda x: x + np.sin(x) ** 2 + 0.1)
    assert "x = array (1, 2) float64" in text
    assert "[[1. 3.]]" in text and "[[-1.  1.]]" in text
    assert "2 of 2 numbers differ, first at [0, 0]: expected -1" in text


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda x: x.sum(axis=-1), "the shape should be (1, 2), yours is (1,)"),
        (lambda x: centre(x).astype(np.float64), "their dtype is not"),
        (
            lambda x: np.where(x == x.max(), np.nan, centre(x)),
            "NaN in 1 of 2 numbers, first at [0, 1]",
        ),
        (lambda x: None, "returned None"),
        (lambda x: -centre(x), "minus the right answer"),
        (lambda x: 3 * centre(x), "Wherever it fails, yours is 3 times the right answer"),
        (lambda x: centre(x) + x.mean(-1, keepdims=True), "a number added to the whole row"),
        (lambda x: centre(x)[..., ::-1], "reverse order along axis -1"),
        (lambda x: [1, 2], "expected array (1, 2) float64, got list of 2"),
        (lambda x: torch.from_numpy(centre(np.ascontiguousarray(x))), "got tensor (1, 2) float64"),
        (lambda x: 0 * x, "zero everywhere"),
        (lambda x: (centre(x), x), "return it alone"),
        (lambda x: x - x.mean(-1, keepdims=True).T, "not right yet"),
        (lambda x, y: x, "another list of arguments"),
        (lambda x: centre(x).ravel(), "wrong shape"),
    ],
)
def test_slips_nobody_foresaw_get_a_sentence(answer, said):
    assert said in message(answer)


def test_none_is_an_answer_where_the_task_knows_it():
    def first_negative(x):
        return next((i for i, number in enumerate(x) if number < 0), None)

    def numbers(rng):
        yield from (dict(x=x) for x in ([1, -2], [3, 4], [-1], [0, 0, -1]))

    exercise = make(first_negative, numbers)
    assert "returned None" not in message(
        lambda x: None if x[0] > 0 else first_negative(x), exercise
    )


def test_rounding_where_zero_is_expected_is_no_mistake():
    exercise = make(
        cases=lambda rng: [dict(x=np.full((2, 3), 0.1)), dict(x=rng.normal(size=(2, 3)))]
    )
    exercise.check(lambda x: x - np.einsum("ij->i", x)[:, None] / 3.0 + 1e-17)


def test_a_flag_is_no_number():
    def largest(x):
        """The largest number."""
        return float(x.max())

    assert "got True" in message(lambda x: bool(x.max()), make(largest))


def test_a_change_in_place_is_caught_though_the_answer_is_right():
    def answer(x):
        x -= x.mean(axis=-1, keepdims=True)
        return x

    assert "changes its argument x in place" in message(answer)


def test_an_exception_shows_the_learners_lines_only():
    def answer(x):
        row = x[99]
        return row

    text = message(answer)
    assert "IndexError: index 99 is out of bounds" in text
    assert "of answer:  row = x[99]" in text
    assert "running.py" not in text and "site-packages" not in text


def test_reliance_on_memory_layout_is_found():
    def answer(x):
        flat = np.frombuffer(x.base if x.base is not None else x, dtype=x.dtype)[: x.size]
        return centre(flat.reshape(x.shape))

    assert "strided view" in message(answer)


def test_check_wants_the_function_and_not_its_result():
    assert "check takes the function itself" in message(np.zeros(3))


def test_raising_the_right_error_is_right_and_not_raising_is_wrong():
    def root(x):
        """The square root; ValueError below zero."""
        if (x < 0).any():
            raise ValueError("negative")
        return np.sqrt(x)

    exercise = make(root, lambda rng: [dict(x=np.array([4.0])), dict(x=np.array([-1.0]))])
    assert exercise.check(root) is root
    with np.errstate(all="ignore"):
        text = message(lambda x: np.sqrt(np.abs(x)), exercise)
    assert "should raise ValueError" in text


def chain_reference(x):
    """Three numbers, each built on the one before."""
    a = 2 * x
    b = a + 1
    return {"a": a, "b": b, "c": b * b}


def test_named_results_show_where_the_chain_breaks(capsys):
    exercise = make(chain_reference)

    def answer(x):
        a = 2 * x
        b = a + np.sin(a)
        return {"a": a, "b": b, "c": b * b}

    assert "b is where the chain breaks: what comes before it (a) is right" in message(
        answer, exercise
    )
    lines = {
        line.split()[1]: line
        for line in message(answer, exercise).splitlines()
        if "    " in line[:4] and line.split()[0] in "✓✗"
    }
    assert "✓" in lines["a"]
    assert "✗" in lines["b"] and "look here first" in lines["b"] and "relative error" in lines["b"]
    assert "✗" in lines["c"] and "look here first" not in lines["c"]
    exercise.check(lambda *arguments: chain_reference(*arguments))
    said = capsys.readouterr().out
    assert "✓ a" in said and "relative error below 1e-12" in said
    exercise = make(chain_reference, lambda rng: [dict(x=rng.normal(size=(2, 3)))])
    exercise.check(lambda x: {k: v * (1 + 1e-9) for k, v in chain_reference(x).items()})
    assert "below 1e-06" in capsys.readouterr().out


def test_a_missing_name_is_said_to_be_missing():
    assert "c is missing" in message(lambda x: {"a": 2 * x, "b": 2 * x + 1}, make(chain_reference))


def mask_reference(x):
    """Which numbers are positive, how many, and what is inside."""
    return {"mask": x > 0, "count": int((x > 0).sum()), "inside": {"a": x, "b": (x, 2 * x)}}


def test_truth_values_counts_and_nested_results_are_told_apart(capsys):
    exercise = make(mask_reference)

    def lines(answer):
        text = message(answer, exercise)
        return {row.split()[1]: row for row in text.splitlines() if row.strip()[:1] in tuple("✓✗")}

    found = lines(lambda x: mask_reference(x) | {"mask": x > 1})
    assert "✗" in found["mask"] and "numbers differ" in found["mask"]
    assert "✓" in found["count"] and "✓" in found["inside"]
    found = lines(lambda x: mask_reference(x) | {"inside": {"a": x, "b": (x, 3 * x)}})
    assert "✓" in found["mask"] and "✗" in found["inside"]
    assert "inside.b[1]: " in found["inside"] and "numbers differ" in found["inside"]
    assert "inside.b: b is missing" in message(
        lambda x: mask_reference(x) | {"inside": {"a": x}}, exercise
    )
    exercise.check(lambda *arguments: mask_reference(*arguments))
    assert "relative error" not in capsys.readouterr().out


def test_tensors_cut_from_the_graph_are_rejected():
    def double(x):
        """Twice x."""
        return 2 * x

    cases = lambda rng: [dict(x=torch.ones(2, 3, requires_grad=True))]  # noqa: E731
    assert "cut from it" in message(lambda x: (2 * x).detach(), make(double, cases))


def test_find_the_bug_falls_back_while_the_bug_is_there(capsys):
    def buggy(x):
        """Subtract each row's mean."""
        return x - x.mean()

    exercise = make(start=buggy)
    assert exercise.stub().startswith("def centre(x):")
    assert "x.mean()" in exercise.stub()
    assert exercise.check(buggy) is centre
    assert "not done yet" in capsys.readouterr().out


def test_hints_come_one_more_each_time(capsys):
    exercise = make()
    exercise.hint()
    assert capsys.readouterr().out == "Hint 1 of 3: first\n"
    exercise.hint()
    assert "second" in capsys.readouterr().out
    assert "(1 left)" in message(lambda x: x, exercise)


def test_solution_is_shown_only_when_asked_twice(capsys):
    exercise = make()
    exercise.solution()
    assert "return x - x.mean" not in capsys.readouterr().out
    exercise.solution()
    assert "return x - x.mean" in capsys.readouterr().out


def test_notebooks_show_the_message_without_the_engines_frames():
    error = NotYet("✗ centre\nline two")
    assert error._render_traceback_() == ["✗ centre", "line two"]

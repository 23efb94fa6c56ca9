"""What an answer's error, or one that it fails to raise, says in a sentence."""

import linecache
import re
import traceback

from tutorial_lib.checking.running import LIBRARY, own_lines
from tutorial_lib.checking.trials import Trial

NO_FIT = (
    "Two shapes do not fit. Write the shape behind each line: which axis is missing, or elsewhere?"
)
ALL_AXES = "(`.T` reverses *all* axes, and a batch has more than two.)"
SENTENCES = {  # what Python, NumPy or PyTorch say -> what it means to whoever wrote the line
    r"truth value of an array|Boolean value of Tensor": "An array has no single truth value: `x is "
    "None` asks whether it is there, `x.any()` and `x.all()` ask about its entries.",
    r"(not enough|too many) values to unpack": "Your code unpacks another number of "
    "values than there are. Of a shape, `*batch, n, d = x.shape` takes any number in front; a dict "
    "gives its keys.",
    r"boolean index did not match|too many indices": "An array has fewer axes than your code "
    "counts on. Counted from the end, `x[..., i]` or axis −1, an axis is there whatever stands in "
    "front; and what broadcasts need not have all of them.",
    r"numpy\(\) on Tensor that requires grad": "NumPy cannot follow a tensor's gradients. Stay in "
    "PyTorch all the way.",
    r"same dtype|dtypes? .*(differ|match)|!= (float|double|Float|Double)|scalar type": "Two "
    "arrays of different dtypes meet. NumPy's floats are float64, PyTorch's weights float32.",
    r"division by zero|integer modulo by zero": "Something that you divide by can be 0.",
    r"leaf Variable|by an inplace operation": "Your function changes an argument in place. "
    "The caller still needs it: work on a new tensor.",
    r"not callable": "A function is wanted there, and what it gives was handed over: name it "
    "without brackets, or wrap the call, `lambda y: f(y, mask=mask)`.",
    r"recursion": "Your function calls itself without an end.",
    r"not aligned|mismatch|not be broadcast|cannot be multiplied|must match|shape ": NO_FIT,
}


def story_of_errors(trials: list[Trial]) -> str:
    """A sentence about answers that raise, or do not raise, where they should not, or should."""
    wrong = [trial for trial in trials if not trial.right]
    raised = [trial for trial in wrong if trial.outcome.error]
    if wrong and all(isinstance(trial.expected, Exception) for trial in wrong):
        wanted = type(wrong[0].expected).__name__
        if len(raised) == len(wrong):
            came = type(raised[0].outcome.error).__name__
            return f"What should be refused is refused, but with {came}: the task names {wanted}."
        return (
            f"Right wherever there is an answer. What does not fit should raise {wanted}; yours "
            "goes on."
        )
    if 2 * len(raised) <= len(wrong) or not raised:
        return ""
    if all(_raises_itself(trial.outcome.error) for trial in raised):
        return "You refuse arguments that the task allows: which ones does it name?"
    error = raised[0].outcome.error
    text = f"{type(error).__name__}: {error}"
    told = next((told for said, told in SENTENCES.items() if re.search(said, text)), "")
    return (
        f"{told} {ALL_AXES}" if told == NO_FIT and re.search(r"\.T\b", own_lines(error)) else told
    )


def _raises_itself(error: BaseException) -> bool:
    """Whether the line that raised is a `raise` or an `assert` of the learner's own."""
    steps = list(traceback.walk_tb(error.__traceback__))
    if not steps:  # it came from another process, with a word on this
        return getattr(error, "raised_itself", False)
    frame, line = steps[-1]
    code = linecache.getline(frame.f_code.co_filename, line).strip()
    path = frame.f_code.co_filename
    own = not path.startswith(LIBRARY) and "site-packages" not in path
    return own and code.startswith(("raise", "assert"))

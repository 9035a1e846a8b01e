"""`python -m modelry_lm_eval`: the same as `modelry eval`."""

from modelry_lm_eval.command import evaluate

if __name__ == "__main__":
    evaluate(prog_name="python -m modelry_lm_eval")

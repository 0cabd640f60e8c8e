"""Not in the paper: the leader, with what it is told chosen in each fold, on the same datasets."""

from reproduction.evidence import Evidence
from reproduction.leave_one_out import NESTED, of, turns_of
from reproduction.n17_beyond.checks import calibrated, chances
from reproduction.n17_beyond.compared import seconds
from reproduction.n17_beyond.enough import again_same, chosen_better, few_as_all
from reproduction.verdicts import Claim, Measured, above, same

HERE = "not in the paper"


def _difference(column: str, plain: str, other: str):
    """A column of one method's turns minus that of another; the leader's are those with choices made in each fold."""

    def measure(evidence: Evidence):
        turns = turns_of(evidence)
        first, second = (of(turns, name, variant=NESTED * (name == "leader"))[column] for name in (plain, other))
        return first - second

    return measure


def _faster(evidence: Evidence) -> Measured:
    found = seconds(evidence)
    return above(found["leader", "loading on both sides"] / found["two-phase", "loading on both sides"], 1)


def _calibrated(evidence: Evidence) -> Measured:
    return calibrated(chances(evidence))


BEYOND = [
    Claim(HERE, "the leader's model is within a point of brute force's pick",
          "accuracy of brute force's pick minus the leader's", lambda e: same(_difference("accuracy", "brute force", "leader")(e))),
    Claim(HERE, "the leader's model is better than the two phases'",
          "difference of accuracies", lambda e: above(_difference("accuracy", "leader", "two-phase")(e))),
    Claim(HERE, "the leader takes fewer epochs than the two phases", "epochs of the two phases minus the leader's",
          lambda e: above(_difference("epochs", "two-phase", "leader")(e))),
    Claim(HERE, "the leader takes fewer seconds than the two phases",
          "seconds of the two phases over the leader's, loading counted on both sides", _faster),
    Claim(HERE, "the leader's probability that its model is the best is as often right as it says",
          "probability stated minus whether it was the best", _calibrated),
    Claim(HERE, "five benchmark datasets chosen by predictive density serve the leader better than five at random",
          "regret with five at random minus that with five chosen", chosen_better),
    Claim(HERE, "five benchmark datasets so chosen serve it as well as all of them",
          "regret with five chosen minus that with all", few_as_all),
    Claim(HERE, "trained again with another seed, the leader's model is within a point of brute force's pick",
          "second accuracy of brute force's pick minus that of the leader's model", again_same),
]  # fmt: skip

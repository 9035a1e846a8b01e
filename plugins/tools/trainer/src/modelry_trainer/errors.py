"""Every error of the trainer. A caller who catches ModelryError catches these too.

TrainingError
├── ArgumentsError      ValueError     they contradict each other, are impossible, or ask for what is not built
├── TrainFileError      ValueError     what `modelry train` was given cannot be read or meant; the message says where
├── BadRow              ValueError     one row of a data set cannot be read, collated or run; the message names it
├── LossIsNaN           ArithmeticError the loss is no number, and nan_loss is "stop"
├── MetricFailed                       a metric raised, or is not there to be watched; the model is kept
├── ProcessLost                        another of the processes that train together has stopped; says which and why
├── SaveFailed          OSError        a checkpoint could not be written (a full disk); the one before is whole
└── CheckpointUnusable  ValueError     no checkpoint to resume from is whole, or it belongs to another training
"""

from modelry.errors import ModelryError


class TrainingError(ModelryError):
    """Training cannot begin or go on."""


class ArgumentsError(TrainingError, ValueError):
    """Arguments contradict each other, are impossible, or ask for what is not built."""


class TrainFileError(TrainingError, ValueError):
    """The file of `modelry train`, or a file it names, cannot be read or meant; the message says where."""


class BadRow(TrainingError, ValueError):
    """One row of a data set cannot be read, collated or run; the message names it."""


class LossIsNaN(TrainingError, ArithmeticError):
    """The loss is NaN or infinite. The last checkpoint is from before."""


class MetricFailed(TrainingError):
    """A metric raised, or is none; where that was on the way, the model has been kept and the message says where."""


class ProcessLost(TrainingError):
    """Another of the processes that train together has stopped; the message says which, and why."""


class SaveFailed(TrainingError, OSError):
    """A checkpoint could not be written. The one before has not been touched."""


class CheckpointUnusable(TrainingError, ValueError):
    """There is no whole checkpoint to resume from, or it belongs to another training."""

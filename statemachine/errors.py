"""Every error that Windlass raises on purpose descends from one class, so that a program can tell ours from a bug.

WindlassError
├── statemachine: MachineError
│   ├── InvalidMachine        the table itself is wrong; raised where the machine is defined
│   ├── IllegalTransition     the event is not allowed in this state; nothing has changed
│   ├── InvalidCondition      a condition breaks the API conventions; also a ValueError
│   ├── InvalidMapping        a declaration of what goes into a status does not fit the status class
│   ├── ModelViolation        the model check found a way to break an invariant; the message is the trace
│   └── JournalError          a journal or an audit log cannot be read
├── informers:   windlass.informers.errors
├── manifests:   windlass.manifests.errors
├── controller:  windlass.controller.errors
├── serving:     windlass.serving.errors
├── envtest:     windlass.envtest.errors
└── operators:   windlass.operators.errors
"""

__all__ = (
    "IllegalTransition",
    "InvalidCondition",
    "InvalidMachine",
    "InvalidMapping",
    "JournalError",
    "MachineError",
    "ModelViolation",
    "WindlassError",
)


class WindlassError(Exception):
    """The root. Its message is one sentence fit to be shown to a user as it stands."""


class MachineError(WindlassError):
    """A state machine was defined or used wrongly."""


class InvalidMachine(MachineError):
    """The transition table breaks a rule; the message names the machine, the state or event, and the rule."""


class IllegalTransition(MachineError):
    """The event has no transition from this state. Nothing has changed."""


class InvalidCondition(MachineError, ValueError):
    """A condition, or a list of them, breaks the API conventions; the message names field, rule, found and expected."""


class InvalidMapping(MachineError, TypeError):
    """Declarations on fields do not fit the status class; the message names the class, every field, and the rule."""


class ModelViolation(MachineError):
    """The model check found a way to break an invariant, or could not look at everything. The message is the trace."""


class JournalError(MachineError):
    """A journal or an audit log cannot be read; the message names the line, what was found and what was expected."""

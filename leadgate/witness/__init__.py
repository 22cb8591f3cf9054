"""The witness: a small service on the compliance officer's own machine that signs a log's checkpoints, if the log only grew.

It refuses a checkpoint that does not extend the last one it signed, whatever happened in between: the last one is on disk
before any signature leaves the house. It knows no ledger, no lead and no key but its own; it speaks the C2SP tlog-witness
protocol, so that it can watch other logs too, and other witnesses can watch ours.
"""

from leadgate.serving import serve
from leadgate.witness.app import WitnessLimits, create_app
from leadgate.witness.office import Office
from leadgate.witness.state import State
from leadgate.witness.watching import Witness

__all__ = ["Office", "State", "Witness", "WitnessLimits", "create_app", "serve"]

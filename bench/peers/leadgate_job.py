"""One process of Leadgate's: ``receive`` (pick the file up), ``admit`` or ``dispatch``, as the Airflow tasks call them.

They run beside each other in processes of their own, as tasks do; the database is the only thing between them.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from worker import serve

from leadgate.settings import load
from leadgate.storage import inbox
from leadgate.wiring.credentials import environment_credentials
from leadgate.wiring.house import House

ROLE, CONFIG, LEADS = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
#: Seconds between two looks of a dispatcher that found nothing due: those of Airflow's trigger (leadgate.airflow.triggers).
PAUSE = 0.25


def receive() -> dict[str, Any]:
    """Pick the export up."""
    count = house.collect_files(path=Path)
    return {"leads": count.new}


def admit() -> dict[str, Any]:
    """Decide everything that waits."""
    count = house.admit(seconds=3600, send=True)
    return {"leads": count.admitted, "accepted": count.accepted}


def dispatch() -> dict[str, Any]:
    """Send what did not go express, until every lead of the benchmark is accepted."""
    accepted = 0
    while True:
        accepted += dispatcher.run(seconds=3600).accepted
        with house.ledger.snapshot() as tx:
            busy = inbox.waits(tx)
            arrived = 0 if busy else tx.rows("select count(*) from delivery where state = 'accepted'")[0][0]
        if arrived == LEADS:
            return {"leads": arrived, "accepted": accepted}
        time.sleep(PAUSE if busy else PAUSE / 10)


def seal() -> dict[str, Any]:
    """Order the leaves and sign."""
    return {"leaves": house.seal().tree_size}


house = House(load(CONFIG, env=os.environ), credentials=environment_credentials(os.environ))
if ROLE == "dispatch":
    dispatcher = house.dispatcher("s7_crm")
elif ROLE == "admit":
    house.admitter  # noqa: B018 - opens ledger and keys before the clock runs
    house.express()  # and imports what the connectors are made of
serve({"receive": receive, "admit": admit, "dispatch": dispatch, "seal": seal}[ROLE])
house.close()

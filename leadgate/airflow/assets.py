"""The stations of a lead as Airflow's assets: they draw the lineage in the UI and wake the next DAG. They carry no record.

inbox -> admit -> outbox -> dispatch -> receipts -> seal -> checkpoint; what goes express: inbox -> admit -> receipts
"""

from __future__ import annotations

from airflow.sdk import Asset, AssetWatcher

from leadgate.airflow.questions import Question
from leadgate.airflow.triggers import LedgerTrigger

#: Submissions nobody decided yet: written by the intake service and by ``leadgate_files``, read by ``leadgate_admit``.
INBOX = Asset(
    name="leadgate-inbox",
    uri="leadgate://ledger/inbox",
    group="leadgate",
    watchers=[AssetWatcher(name="submissions-waiting", trigger=LedgerTrigger(Question.INBOX))],
)
#: Deliveries that are due: written by ``leadgate_admit``; the watcher speaks for those whose time comes later.
OUTBOX = Asset(
    name="leadgate-outbox",
    uri="leadgate://ledger/outbox",
    group="leadgate",
    watchers=[AssetWatcher(name="deliveries-due", trigger=LedgerTrigger(Question.OUTBOX))],
)
#: Recipients that are to be told of a withdrawal or an erasure; whoever withdraws is no task, so the watcher speaks for all.
RECIPIENTS = Asset(
    name="leadgate-recipients",
    uri="leadgate://ledger/recipients",
    group="leadgate",
    watchers=[AssetWatcher(name="recipients-due", trigger=LedgerTrigger(Question.RECIPIENTS))],
)
#: What destinations answered.
RECEIPTS = Asset(name="leadgate-receipts", uri="leadgate://ledger/receipts", group="leadgate")
#: The signed statement over the whole log.
CHECKPOINT = Asset(name="leadgate-checkpoint", uri="leadgate://log/checkpoint", group="leadgate")

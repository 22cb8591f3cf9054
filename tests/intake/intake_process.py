"""Runs the intake service with a small durable ledger, as a process of its own that a test may kill.

Arguments: database file, seconds a commit takes, "die" to be killed (SIGKILL) after the first commit and before its answer.
"""

from __future__ import annotations

import base64
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Sequence

from integrations.contract.source import SourceSettings
from integrations.sources.moderation_webhook import ModerationWebhook
from leadgate.intake import create_app, serve
from schemas.personal import Personal
from schemas.submission import Received, Submission

SECRET = "whsec_" + base64.b64encode(b"a-secret-of-an-invented-tool-123").decode()


def main(path: str, seconds: str, fate: str) -> None:
    database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    database.execute("create table if not exists inbox (source text, event_id text, primary key (source, event_id))")

    def commit(submissions: Sequence[Submission]) -> Received:
        time.sleep(float(seconds))
        database.execute("begin immediate")
        before = database.total_changes
        rows = [(each.source, each.event_id) for each in submissions]
        database.executemany("insert or ignore into inbox values (?, ?)", rows)
        new = database.total_changes - before
        database.execute("commit")
        if fate == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return Received(new=new, repeated=len(rows) - new)

    settings = SourceSettings(name="moderation", connector="moderation_webhook", secrets=(Personal(SECRET),))
    app = create_app({"moderation": ModerationWebhook(settings)}, commit)
    serve(app, "127.0.0.1", 0, on_started=lambda _host, port: print(port, flush=True))  # noqa: T201 - how the test learns it
    print("stopped", flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Airflow reads its home when it is first imported, so the home is set here, before any test module imports it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_HOME = Path(tempfile.mkdtemp(prefix="leadgate-airflow-unit-"))
os.environ.setdefault("AIRFLOW_HOME", str(_HOME))
os.environ.setdefault("AIRFLOW_CONFIG", str(Path(__file__).resolve().parents[2] / "airflow.cfg"))

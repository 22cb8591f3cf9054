"""The ledger: what Leadgate remembers, on SQLite or Postgres, and the only place that speaks SQL.

Every function takes an open ``Transaction`` and works on a whole batch; nothing here commits, decides or calls out.
Times are BIGINT microseconds since the epoch in UTC, in both databases, so that they compare and index alike.
"""

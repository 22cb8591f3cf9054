"""The log's mathematics and formats. Refuses a leaf that could hold a person, and a statement that nobody's key signed.

Leaves (``leaf``, ``facts``), the RFC 6962 tree over them (``merkle``), signed notes and checkpoints in the C2SP formats
(``note``, ``checkpoint``), the folder an auditor receives (``export``), the check of it that needs no database
(``verify``), and one lead's walk in sentences (``trace``). Pure: no storage, no network, no clock.
"""

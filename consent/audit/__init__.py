"""The log's mathematics and formats. Refuses a leaf that could hold a person, and a statement that nobody's key signed.

Leaves (``leaf``, ``facts``), the RFC 6962 tree over them (``merkle``), and the C2SP formats: signed notes and their keys
(``note``, ``vkey``), checkpoints and what witnesses add to them (``head``, ``checkpoint``, ``cosignature``), whom an auditor
trusts (``policy``), one leaf's offline proof (``proof``), the published log (``tiles``, ``tile_reader``).

Verification: an audit export (``export``, ``reading``, ``history``, ``claims``), a published log (``published``, ``reaudit``,
``locate``), which checkpoints count (``signed``), all behind ``verify``. One lead's walk in sentences is ``trace``. Pure: no
storage, no network, no clock.
"""

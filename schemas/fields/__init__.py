"""The fields of a lead: each refuses what it cannot normalise, with one sentence of ``Hint`` and never with the value.

A field's ``read`` is the one place where its rule stands. marshmallow calls it for every document; the compiled reader of
``schemas.lead_reader`` calls the very same function without marshmallow around it.
"""

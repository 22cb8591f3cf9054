"""How bytes reach a vendor: guarded HTTP (``http``, ``hosts``, ``redaction``) and what SOAP puts on top of it (``soap``)."""

"""The vocabulary: every type that crosses a wall, and the marshmallow schema that guards it.

Nothing here decides, remembers or talks. A type says how far we trust a thing: ``Submission`` (anyone's bytes),
``Lead`` (valid, still a person), ``PseudonymousLead`` (safe to store), ``Disclosure`` (the minimum, memory only).
"""

"""`make demo`: the whole house on one machine, with invented people."""

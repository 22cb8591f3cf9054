"""The verbs: receive, admit, dispatch, withdraw, erase, seal.

Each step is one transaction that writes the state, the outbox and the leaf of the log together;
 no call to the outside ever happens inside one.
"""

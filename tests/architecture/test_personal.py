"""A person is revealed only where it must be: the modules below, each for the reason beside it, and nobody else."""

from __future__ import annotations

import ast

from tests.architecture.tree import PACKAGES, breach, modules, refuse, refuse_idle

#: Who may say ``.reveal()``, and why. A new line here is a decision about privacy: whoever reviews it asks "must it?".
REVEALS = {
    "schemas/personal.py": "defines it",
    # the decisions
    "consent/gate.py": "asks which fields a lead has, by name; reads no value",
    "consent/vault.py": "seals: the value goes in, an envelope comes out",
    # what comes in: bytes that a sender signed, and the secrets that prove it
    "integrations/sources/document.py": "reads the sender's JSON",
    "integrations/sources/moderation_export/pickup.py": "weighs rows, to commit in chunks; reads none",
    "integrations/sources/moderation_webhook/connector.py": "checks a signature over the body; the secret that checks it",
    "integrations/sources/vk/connector.py": "finds the secret in the body, and compares it",
    # the shell: the vault's doors
    "leadgate/pipeline/access.py": "opens everything that is held, for the data subject's own answer",
    "leadgate/pipeline/access_paper.py": "prints that answer into files of mode 0600",
    "leadgate/pipeline/case_file.py": "seals the identifiers of a request, and turns them into blind indexes",
    "leadgate/pipeline/rectify.py": "puts right values into what the vault opened, and seals both again",
    "leadgate/pipeline/admit.py": "validates a document, then looks the person up and seals",
    "leadgate/pipeline/analytics.py": "compares city and region with the declared places; writes the declared names only",
    "leadgate/pipeline/reindex.py": "reads identifiers from sealed leads, to make their blind indexes anew",
    "leadgate/pipeline/memory.py": "makes digests of what a person was known by, right before it is destroyed",
    "leadgate/pipeline/receipt_paper.py": "prints the person's own receipt, with their name if the officer asks for it",
    "leadgate/wiring/documents.py": "opens a person for their receipt, or for an auditor, when the officer asks for it",
    "leadgate/pipeline/opening.py": "adds the columns kept outside the envelope to what the vault opened; wraps both again",
    "consent/act_seal.py": "seals what an act of destruction says",
    "leadgate/pipeline/act.py": "prints the act of destruction: the names that the officer gave for it",
    "leadgate/pipeline/strays.py": "turns identifiers of what was put aside into blind indexes, to find an erased person's",
    "leadgate/pipeline/withdraw.py": "turns the identifiers of a withdrawal into blind indexes",
    "leadgate/transit/wire.py": "signs in at Vault",
    "leadgate/wiring/credentials.py": "splits a connection's secret into the words of a rotation",
    # what goes out: the last instruction before the wire
    "integrations/declarative/rest.py": "maps disclosed fields to the vendor's JSON; signs in",
    "integrations/declarative/soap.py": "maps disclosed fields to the vendor's XML",
    "integrations/destinations/salesforce/connector.py": "maps disclosed fields to the vendor's record",
    "integrations/destinations/salesforce/org.py": "signs in",
    "integrations/destinations/salesforce/sign_in.py": "signs in",
    "integrations/transports/soap.py": "signs in",
    # invented people only
    "integrations/testing/conformance/afterwards.py": "leaves out of a disclosure what suppressing does not need",
    "integrations/testing/conformance/everyday.py": "compares what a simulator holds with what it was sent",
    "integrations/testing/invented.py": "makes the people of the conformance suite",
}


def test_only_listed_modules_reveal_a_person() -> None:
    found: dict[str, int] = {}
    for module in modules(*PACKAGES, "dags"):
        for node in module.nodes():
            named = (
                (isinstance(node, ast.Attribute) and node.attr == "reveal")
                or (isinstance(node, ast.Constant) and node.value == "reveal")
                or (isinstance(node, ast.Name) and node.id == "reveal")
            )
            if named:
                found.setdefault(module.place, node.lineno)
    refuse(
        (breach(place, line, "reveals a personal value") for place, line in found.items() if place not in REVEALS),
        "pass the Personal on to a module that may open it, or list this one in REVEALS with the reason why it must",
    )
    refuse_idle(REVEALS.keys() - {"schemas/personal.py"}, found, "tests/architecture/test_personal.py")


def test_nobody_reaches_behind_the_wrapper() -> None:
    refuse(
        (
            breach(module.place, node.lineno, "reads Personal._value")
            for module in modules(*PACKAGES, "dags")
            if module.place != "schemas/personal.py" and "Personal" in module.text
            for node in module.nodes()
            if isinstance(node, ast.Attribute) and node.attr == "_value" and not _is_self(node.value)
        ),
        "call .reveal() in a module that may",
    )


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"

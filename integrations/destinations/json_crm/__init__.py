"""A generic JSON CRM: the declarative REST connector to copy. All of it stands in ``connector.yaml``."""

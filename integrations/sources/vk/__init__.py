"""VK's Callback API: lead forms, and people who forbid messages."""

from integrations.sources.vk.connector import VK

__all__ = ["VK"]

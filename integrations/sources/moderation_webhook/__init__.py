"""The moderation tool's own webhook, signed after the Standard Webhooks specification."""

from integrations.sources.moderation_webhook.connector import ModerationWebhook

__all__ = ["ModerationWebhook"]

"""The moderation tool's files: JSON Lines, CSV and XLSX dropped into an inbox folder."""

from integrations.sources.moderation_export.connector import ModerationExport

__all__ = ["ModerationExport"]

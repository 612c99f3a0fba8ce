"""What tests of backups share."""

from tests.backup.small import folder, small

__all__ = ["folder", "small"]

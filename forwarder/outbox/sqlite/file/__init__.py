"""The SQLite file itself: opened, locked, migrated, checked, restored and salvaged, within the space that it may take."""

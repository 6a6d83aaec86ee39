"""What we remember. SQLAlchemy and nothing else; rows leave this room as frozen dataclasses.

Functions take a session and a workspace id, never commit, and never return another workspace's rows.
"""

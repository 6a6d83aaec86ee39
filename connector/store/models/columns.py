"""Column types that several tables share."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, String

Id = String(36)
Big = BigInteger().with_variant(Integer, "sqlite")

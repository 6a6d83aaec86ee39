"""Whop, and only Whop: its words, its dialects, its pages and its refusals."""

from .catalogue import CATALOGUE
from .client import API_VERSION, Session, headers
from .reader import WhopReader

__all__ = ["API_VERSION", "CATALOGUE", "Session", "WhopReader", "headers"]

"""The error of a defect simulation that the reference cannot afford: a candidate assessed."""

from .assessment import FORMAT, VERSION, Assessment, published_schema, schema
from .run import assess

__all__ = ["FORMAT", "VERSION", "Assessment", "assess", "published_schema", "schema"]

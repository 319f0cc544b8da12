"""The OpenAPI document, made from routes, guards, what `@documented` says of the calls, and the schemas of bodies."""

from api_service.openapi.document import document_of

__all__ = ["document_of"]

"""The original way, the user-facing half: Flask-JWT-Extended, ORM sessions, and the RPC client of RabbitMQ's tutorial.

https://www.rabbitmq.com/tutorials/tutorial-six-python: a connection and a reply queue for each call.
"""

import json
import os
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import pika
from flask import Flask, Response, abort, jsonify, request
from flask_jwt_extended import JWTManager, current_user, jwt_required
from flask_sqlalchemy import SQLAlchemy
from marshmallow import Schema, fields
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_QUEUE: Final = "rpc_queue"


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(80), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    active: Mapped[bool]


class History(Base):
    __tablename__ = "history"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    date: Mapped[datetime]
    name: Mapped[str] = mapped_column(String(80))
    symbol: Mapped[str] = mapped_column(String(80))
    open: Mapped[Decimal]
    high: Mapped[Decimal]
    low: Mapped[Decimal]
    close: Mapped[Decimal]


class StockSchema(Schema):
    symbol = fields.String()
    company_name = fields.String()
    quote = fields.Float()


class StockRpcClient:
    """The tutorial's client: it asks once, and nobody closes more than its connection."""

    def __init__(self) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"]))
        self._channel = self._connection.channel()
        self._replies = self._channel.queue_declare("", exclusive=True).method.queue
        self._channel.basic_consume(self._replies, self._on_response, auto_ack=True)
        self._response: bytes | None = None
        self._correlation_id = ""

    def call(self, code: str) -> dict[str, Any]:
        self._correlation_id = str(uuid.uuid4())
        properties = pika.BasicProperties(reply_to=self._replies, correlation_id=self._correlation_id)
        self._channel.basic_publish("", _QUEUE, code.encode(), properties)
        while self._response is None:
            self._connection.process_data_events(time_limit=1)
        self._connection.close()
        answer: dict[str, Any] = json.loads(self._response)
        return answer

    def _on_response(self, _channel: Any, _method: Any, properties: Any, body: bytes) -> None:
        if properties.correlation_id == self._correlation_id:
            self._response = body


app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URI"]
app.config["JWT_SECRET_KEY"] = os.environ["SECRET_KEY"]
db.init_app(app)
_jwt = JWTManager(app)


@_jwt.user_lookup_loader
def _load_user(_header: dict[str, Any], claims: dict[str, Any]) -> User | None:
    return db.session.get(User, int(claims["sub"]))


@app.get("/api/v1/stock")
@jwt_required()  # type: ignore[untyped-decorator]  # it ships no types for it
def stock() -> Response:
    quote = StockRpcClient().call(request.args["q"])
    if "error" in quote:
        abort(404)
    prices = {name: Decimal(quote[name]) for name in ("open", "high", "low", "close")}
    entry = History(
        user_id=current_user.id, date=datetime.now(UTC), name=quote["name"], symbol=quote["symbol"], **prices
    )
    db.session.add(entry)
    db.session.commit()
    answer = {"symbol": entry.symbol, "company_name": entry.name, "quote": entry.close}
    return jsonify(StockSchema().dump(answer))


if __name__ == "__main__":
    with app.app_context():
        db.create_all()
        db.session.add(User(username="johndoe", role="USER", active=True))
        db.session.commit()

"""Indexes that find a part of a user's history by when it was asked and by symbol; and counts of stocks for each day.

The counts are those of the history that there is. While they are added up the history is locked against new rows
(the indexes lock it on PostgreSQL), so none is left out.

Revision: 0007
After: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        op.f("ix_history_user_id_requested_at_id"), "history", ["user_id", "requested_at", "id"]
    )
    op.create_index(
        op.f("ix_history_user_id_symbol_requested_at_id"), "history", ["user_id", "symbol", "requested_at", "id"]
    )
    op.drop_index(op.f("ix_history_user_id_id"), "history")
    op.create_table(
        "stock_day_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("symbol", sa.String(20), nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "symbol", "slot", name=op.f("pk_stock_day_counts")),
        sqlite_with_rowid=False,
    )
    # SQLite keeps moments as text in UTC, and days as the same text cut off.
    on_postgresql = op.get_context().dialect.name == "postgresql"
    day = "(requested_at AT TIME ZONE 'UTC')::date" if on_postgresql else "substr(requested_at, 1, 10)"
    op.execute(
        "INSERT INTO stock_day_counts (day, symbol, slot, times)"
        f" SELECT {day}, lower(symbol), 0, count(*) FROM history GROUP BY 1, 2"
    )


def downgrade() -> None:
    op.drop_table("stock_day_counts")
    op.create_index(op.f("ix_history_user_id_id"), "history", ["user_id", "id"])
    op.drop_index(op.f("ix_history_user_id_symbol_requested_at_id"), "history")
    op.drop_index(op.f("ix_history_user_id_requested_at_id"), "history")

"""How many digits each counter of a stock has, with an index: the most requested are found by it.

Revision: 0006
After: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    times = "(times)::text" if op.get_context().dialect.name == "postgresql" else "CAST(times AS TEXT)"
    digits = sa.Column("digits", sa.SmallInteger(), sa.Computed(f"length({times})", persisted=True), nullable=False)
    with op.batch_alter_table("stock_request_counts") as batch:  # SQLite makes the table anew
        batch.add_column(digits)
    op.create_index(op.f("ix_stock_request_counts_digits"), "stock_request_counts", ["digits"])


def downgrade() -> None:
    op.drop_index(op.f("ix_stock_request_counts_digits"), "stock_request_counts")
    with op.batch_alter_table("stock_request_counts") as batch:
        batch.drop_column("digits")

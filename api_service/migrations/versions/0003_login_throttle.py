"""Failed log-ins by account and address.

Revision: 0003
After: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "login_throttle",
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("account_key", sa.String(64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("waits_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refusal_recorded", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("address", "account_key", name=op.f("pk_login_throttle")),
    )
    op.create_index(op.f("ix_login_throttle_waits_until"), "login_throttle", ["waits_until"])


def downgrade() -> None:
    op.drop_table("login_throttle")

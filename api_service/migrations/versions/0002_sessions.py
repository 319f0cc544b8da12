"""Sessions that can be ended: a token version for each user, and the deny-list of tokens and log-ins.

Revision: 0002
After: 0001
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("token_version", sa.Integer(), nullable=False, server_default="0"))
    # A downgrade forgets which tokens were ended. Those from before it must not be good again after a new upgrade.
    op.execute(sa.text("UPDATE users SET token_version = :now").bindparams(now=int(time.time())))
    op.create_table(
        "revoked_tokens",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revoked_tokens")),
    )
    op.create_index(op.f("ix_revoked_tokens_expires_at"), "revoked_tokens", ["expires_at"])


def downgrade() -> None:
    op.drop_table("revoked_tokens")
    op.drop_column("users", "token_version")

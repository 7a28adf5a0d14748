"""A migrated database, taken back to nothing."""

from api import definitions, files, migrate
from api.failure import say_nothing


def rollback(url: str, tree: files.Tree | None = None) -> None:
    """Undo the definitions, then the migrations, newest first, by their rollback files."""
    tree = tree or files.tree()
    with migrate._connect(url) as connection, migrate._exclusive(url, say_nothing):
        with migrate._definitions_transaction(connection):
            everything = tuple(definitions.recorded(connection))
            definitions.replay(connection, tree, definitions.Changes((), everything), say_nothing)
            connection.execute("set local role saas_owner")
            connection.execute("delete from deploy.schema_version")
        with migrate._yoyo(url, tree) as (backend, migrations):
            backend.rollback_migrations(backend.to_rollback(migrations))
        connection.execute("delete from deploy.migrations")

# ruff: noqa: E501, ISC004 - tables of what is written and what becomes of it
"""What the files of each tool say: which migrations there are, in which order, and their SQL."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fairway.engine.contract.errors import FairwayError, Invalid
from fairway.engine.contract.manifest import MigratorKind, Verdict
from fairway.engine.contract.names import Digest
from fairway.migrations import worst
from fairway.migrations.sources import Source, read_sources

HERE = Path(__file__).parent
PRISMA, ALEMBIC, DJANGO = MigratorKind.PRISMA, MigratorKind.ALEMBIC, MigratorKind.DJANGO
SQL, EXEC = MigratorKind.SQL, MigratorKind.EXEC


def read(kind: MigratorKind, **files: str) -> tuple[Source, ...]:
    return read_named(kind, {name.replace("__", "/"): text for name, text in files.items()})


def read_named(kind: MigratorKind, files: dict[str, str]) -> tuple[Source, ...]:
    return read_sources(kind, "db", {f"db/{name}": text.encode() for name, text in files.items()})


def statements(source: Source) -> list[str]:
    return [" ".join(part.split()) for part in source.sql.split(";") if part.strip()]


def verdict(source: Source) -> Verdict:
    return worst(one.verdict for one in source.judgements())


# -- Prisma

_FOLDERS = {
    "migration_lock.toml": 'provider = "postgresql"\n',
    "20240201120000_more/migration.sql": "ALTER TABLE t ADD COLUMN a text;\n",
    "20240101000000_init/migration.sql": "CREATE TABLE t (id int);\n",
    "20240101000000_init/README.md": "about it",
    "notes.md": "",
}


def test_a_prisma_migration_is_a_folder_and_its_digest_that_of_its_bytes() -> None:
    first, second = read_named(PRISMA, _FOLDERS)

    assert (first.id, second.id) == ("20240101000000_init", "20240201120000_more")
    assert first.digest == Digest.of(b"CREATE TABLE t (id int);\n")
    assert first.path == "db/20240101000000_init/migration.sql"


def test_a_prisma_folder_without_its_file_is_named() -> None:
    with pytest.raises(Invalid, match="db/2_x has no migration"):
        read_named(PRISMA, {"2_x/other.sql": ""})


def test_prisma_migrations_of_another_database_are_not_judged() -> None:
    with pytest.raises(Invalid, match="'mysql'"):
        read_named(PRISMA, {**_FOLDERS, "migration_lock.toml": 'provider = "mysql"'})


# -- SQL files


@pytest.mark.parametrize(
    ("files", "ids"),
    [
        (["0002_b.sql", "0001_a.sql"], ["0001", "0002"]),
        (["1_a.up.sql", "1_a.down.sql", "10_c.up.sql", "2_b.up.sql"], ["1", "2", "10"]),
        (["20240101000000_a.sql"], ["20240101000000"]),
        (
            ["V1__a.sql", "V1.1__b.sql", "V2_1__d.sql", "V2__c.sql", "U1__a.sql", "R__v.sql"],
            ["1", "1.1", "2", "2.1", "R__v"],
        ),
        (["0001_a.sql", "README.md", "seed.csv"], ["0001"]),
    ],
)
def test_sql_files_are_their_versions_in_order_without_what_undoes(files: list[str], ids: list[str]) -> None:
    assert [one.id for one in read_named(SQL, dict.fromkeys(files, "SELECT 1;"))] == ids


@pytest.mark.parametrize(
    "text",
    [
        "-- migrate:up\nCREATE TABLE t (id int);\n-- migrate:down\nDROP TABLE t;\n",
        "-- +goose Up\nCREATE TABLE t (id int);\n-- +goose Down\nDROP TABLE t;\n",
        "-- +migrate Up\nCREATE TABLE t (id int);\n\n-- +migrate Down\nDROP TABLE t;\n",
        "--migrate:up transaction:false\nCREATE TABLE t (id int);\n--migrate:down\nDROP TABLE t;",
    ],
)
def test_the_section_that_undoes_is_not_judged(text: str) -> None:
    (one,) = read(SQL, **{"1_a.sql": text})

    assert "DROP" not in one.sql
    assert verdict(one) is Verdict.EXPAND


_SECTIONS = "-- migrate:up\nSELECT 1;\n-- migrate:down\nDROP TABLE t;\n"


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        (SQL, "V1__a.sql", _SECTIONS),
        (SQL, "R__a.sql", _SECTIONS),
        (SQL, "1_a.up.sql", _SECTIONS),
        (EXEC, "a.sql", _SECTIONS),
        (SQL, "1_a.sql", "-- migrate:down\nDROP TABLE t;\n"),
        (SQL, "1_a.sql", "-- migrate:down\nDROP TABLE t;\n-- migrate:up\nSELECT 1;\n"),
        (SQL, "1_a.sql", "-- +goose Up\nSELECT 1;\n-- migrate:down\nDROP TABLE t;\n"),
        (SQL, "1_a.sql", "-- migrate:up\nSELECT 1;\n  -- migrate:down\nDROP TABLE t;\n"),
        (SQL, "1_a.sql", "-- migrate:up\nSELECT 1;\n-- migrate:down-to-earth\nDROP TABLE t;\n"),
    ],
)
def test_what_the_tool_runs_is_judged_whatever_its_comments_say(kind: MigratorKind, name: str, text: str) -> None:
    (one,) = read_named(kind, {name: text})

    assert verdict(one) is Verdict.CONTRACT


@pytest.mark.parametrize(
    "names", [["1_a.sql", "1_b.sql"], ["1_a.sql", "0001_b.sql"], ["a.sql"], ["1/1_a.sql", "2/1_b.sql"]]
)
def test_sql_files_without_a_version_of_their_own_are_refused(names: list[str]) -> None:
    with pytest.raises(Invalid, match="version"):
        read_named(SQL, dict.fromkeys(names, ""))


# -- exec


def test_of_another_tool_sql_is_judged_and_the_rest_is_for_a_person() -> None:
    first, second = read_named(EXEC, {"b.py": "x", "a.sql": "CREATE TABLE t (id int);", "README.md": "", ".keep": ""})

    assert (first.id, verdict(first)) == ("a", Verdict.EXPAND)
    assert (second.id, verdict(second)) == ("b", Verdict.REVIEW)


# -- Alembic


def revision(name: str, down: str, body: str = "pass", head: str = "") -> str:
    return (
        f'"""x"""\nfrom alembic import op\nimport sqlalchemy as sa\n{head}\nrevision: str = "{name}"\n'
        f"down_revision = {down}\n\n\ndef upgrade() -> None:\n    {body}\n\n\n"
        "def downgrade() -> None:\n    op.drop_table('t')\n"
    )


def upgrade(body: str, head: str = "") -> Source:
    (one,) = read(ALEMBIC, **{"a.py": revision("1", "None", body, head)})
    return one


def test_revisions_come_after_those_that_they_follow() -> None:
    sources = read_named(
        ALEMBIC,
        {
            "a.py": revision("c", '"b"'),
            "b.py": revision("b", '"z"'),
            "z.py": revision("z", "None"),
            "__init__.py": "",
        },
    )

    assert [(one.id, one.parents) for one in sources] == [("z", ()), ("b", ("z",)), ("c", ("b",))]


def test_a_merge_follows_both_and_a_dependency_counts() -> None:
    files = {
        "1.py": revision("1", "None"),
        "2a.py": revision("2a", '"1"'),
        "2b.py": revision("2b", '"1"').replace("down_revision", 'depends_on = "2a"\ndown_revision', 1),
        "3.py": revision("3", '("2a", "2b")'),
    }

    assert [(one.id, one.parents) for one in read_named(ALEMBIC, files)][-2:] == [
        ("2b", ("1", "2a")),
        ("3", ("2a", "2b")),
    ]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.py": revision("1", "None"), "b.py": revision("2", '"1"'), "c.py": revision("3", '"1"')}, "2 heads"),
        ({"a.py": revision("1", "None"), "b.py": revision("1", "None")}, "db/b.py and db/a.py have the same revision"),
        ({"a.py": revision("1", '"0"')}, "db/a.py follows the revision 0, which is not there"),
        ({"a.py": revision("1", '"2"'), "b.py": revision("2", '"1"')}, "circle: db/a.py, db/b.py"),
        ({"a.py": "x = 1"}, "db/a.py names no revision"),
        ({"a.py": 'revision = "1"'}, "does not say which revision it follows"),
        ({"a.py": "revision = make()"}, "db/a.py, line 1: revision cannot be read"),
        ({"a.py": 'revision = "1"\ndown_revision = None'}, "has no upgrade"),
        ({"a.py": "def ("}, "db/a.py, line 1: not Python"),
    ],
)
def test_a_chain_that_is_none_is_refused_with_the_file(files: dict[str, str], said: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_named(ALEMBIC, files)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("body", "sql"),
    [
        ('op.execute("SELECT 1")', ["SELECT 1"]),
        ('op.execute(sa.text("SELECT " "1"))', ["SELECT 1"]),
        ("op.execute(QUERY)", ["SELECT 2"]),
        (
            'op.add_column("t", sa.Column("a", sa.String(length=50), nullable=True))',
            ['ALTER TABLE "t" ADD COLUMN "a" varchar(50)'],
        ),
        (
            'op.add_column("t", sa.Column("a", sa.Boolean(), nullable=False, server_default=sa.text("false")), schema="s")',
            ['ALTER TABLE "s"."t" ADD COLUMN "a" boolean NOT NULL DEFAULT false'],
        ),
        ('op.drop_column("t", "a")', ['ALTER TABLE "t" DROP COLUMN "a"']),
        ('op.drop_table("t")', ['DROP TABLE "t"']),
        ('op.rename_table("t", "u")', ['ALTER TABLE "t" RENAME TO "u"']),
        ('op.create_index(op.f("ix"), "t", ["a", "b"], unique=True)', ['CREATE UNIQUE INDEX "ix" ON "t" ("a", "b")']),
        (
            'op.create_index("ix", "t", ["a"], postgresql_concurrently=True)',
            ['CREATE INDEX CONCURRENTLY "ix" ON "t" ("a")'],
        ),
        (
            'op.alter_column("t", "a", existing_type=sa.Text(), nullable=False)',
            ['ALTER TABLE "t" ALTER COLUMN "a" SET NOT NULL'],
        ),
        ('op.alter_column("t", "a", new_column_name="b")', ['ALTER TABLE "t" RENAME COLUMN "a" TO "b"']),
        ('op.alter_column("t", "a", type_=sa.BigInteger())', ['ALTER TABLE "t" ALTER COLUMN "a" TYPE bigint']),
        ('op.alter_column("t", "a", server_default=None)', ['ALTER TABLE "t" ALTER COLUMN "a" DROP DEFAULT']),
        ('op.create_unique_constraint("u", "t", ["a"])', ['ALTER TABLE "t" ADD CONSTRAINT "u" UNIQUE ("a")']),
        (
            'op.create_foreign_key(None, "t", "o", ["a"], ["id"], ondelete="CASCADE")',
            ['ALTER TABLE "t" ADD FOREIGN KEY ("a") REFERENCES "o" ("id") ON DELETE CASCADE'],
        ),
        (
            'op.create_foreign_key("f", "t", "o", ["a"], ["id"], deferrable=True, initially="DEFERRED")',
            [
                'ALTER TABLE "t" ADD CONSTRAINT "f" FOREIGN KEY ("a") REFERENCES "o" ("id") DEFERRABLE INITIALLY DEFERRED'
            ],
        ),
        (
            'op.add_column("t", sa.Column("a", sa.Text()), if_not_exists=True)',
            ['ALTER TABLE "t" ADD COLUMN IF NOT EXISTS "a" text'],
        ),
        ('op.drop_constraint("u", "t", type_="unique")', ['ALTER TABLE "t" DROP CONSTRAINT "u"']),
        (
            'with op.batch_alter_table("t") as batch:\n        batch.drop_column("a")',
            ['ALTER TABLE "t" DROP COLUMN "a"'],
        ),
        (
            'with op.get_context().autocommit_block():\n        op.execute("VACUUM t")',
            ["VACUUM t"],
        ),
        (
            'op.create_table("t", sa.Column("id", sa.Integer(), sa.Identity(), nullable=False), '
            'sa.Column("o", sa.UUID(), sa.ForeignKey("s.o.id")), sa.PrimaryKeyConstraint("id", name=op.f("pk")))',
            [
                'CREATE TABLE "t" ("id" integer NOT NULL GENERATED BY DEFAULT AS IDENTITY, '
                '"o" uuid REFERENCES "s"."o" ("id"), CONSTRAINT "pk" PRIMARY KEY ("id"))'
            ],
        ),
    ],
)
def test_what_an_upgrade_plainly_does_becomes_sql(body: str, sql: list[str]) -> None:
    one = upgrade(body, 'QUERY = "SELECT 2"')

    assert statements(one) == sql
    assert one.told == ()


@pytest.mark.parametrize(
    "body",
    [
        'op.execute(f"DROP TABLE {name}")',
        'op.execute("SELECT %s" % 1)',
        "op.execute(CHANGED)",
        "for name in names:\n        op.drop_table(name)",
        'if True:\n        op.drop_table("t")',
        "connection = op.get_bind()",
        "op.bulk_insert(table, [])",
        'op.add_column("t", sa.Column("a", MyType()))',
        'op.add_column("t", sa.Column("a", sa.Text(), server_default=make()))',
        'op.add_column("t", sa.Column("a", sa.Text(), **options))',
        "op.add_column(*arguments)",
        'op.drop_column("t", "a", mssql_drop_check=True)',
        'op.create_unique_constraint("u", "t", ["a"], postgresql_nulls_not_distinct=True)',
        'op.create_primary_key("u", "t", ["a"], postgresql_include=["b"])',
        'op.create_check_constraint("u", "t", "a > 0", no_inherit=True)',
        'op.create_foreign_key("u", "t", "o", ["a"], ["id"], match="FULL")',
        'op.create_table("t", sa.Column("a", sa.Text()), sa.UniqueConstraint("a", postgresql_nulls_not_distinct=True))',
        'op.create_table("t", sa.Column("a", sa.Text(), sa.ForeignKey("o.id", match="FULL")))',
        'with op.batch_alter_table("t") as batch: batch.create_unique_constraint("u", ["a"], other=True)',
        'op.execute("SELECT 1"' + ' + ""' * 1500 + ")",
        "op.execute(LONG)",
        "help_me()",
        'session.execute("SELECT 1")',
        'op.invented("t")',
        'with open("x") as batch:\n        batch.drop_column("a")',
        "return",
    ],
)
def test_what_an_upgrade_does_not_plainly_do_is_for_a_person(body: str) -> None:
    one = upgrade(body, 'CHANGED = "SELECT 1"; LONG = "SELECT 1"' + ' + ""' * 1500 + '\nCHANGED = "SELECT 2"')

    assert [told.verdict for told in one.told] == [Verdict.REVIEW]
    assert one.told[0].reason
    assert one.told[0].line == 11
    assert verdict(one) is Verdict.REVIEW


@pytest.mark.parametrize(
    "head",
    [
        "op = pretend()",
        "run_something()",
        "def f(op): pass",
        "done = op.execute('DROP TABLE users')",
        "done: object = [op.drop_table('users')]",
        "def f(done=op.drop_table('users')): pass",
        "class Done:\n    op.drop_table('users')",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\nelse:\n    op.drop_table('users')",
        "from elsewhere import upgrade",
        "upgrade = pretend",
    ],
)
def test_a_module_that_plays_with_what_it_calls_is_for_a_person(head: str) -> None:
    assert verdict(upgrade('op.add_column("t", sa.Column("a", sa.Text()))', head)) is Verdict.REVIEW


def test_statements_stand_on_the_lines_of_their_file() -> None:
    body = (
        'op.execute(\n        """\n        ALTER TABLE t ADD COLUMN a text;\n        DROP TABLE t\n        """\n    )'
    )

    judged = upgrade(body).judgements()

    assert [(one.line, one.verdict) for one in judged] == [(12, Verdict.EXPAND), (13, Verdict.CONTRACT)]


_COMMENTED = 'QUERY = """\n-- what was long unused\nDROP TABLE people;\n"""'


@pytest.mark.parametrize("body", ["op.execute(QUERY)", "op.execute(sa.text(QUERY))"])
def test_a_comment_in_a_named_statement_hides_nothing(body: str) -> None:
    (judged,) = upgrade(body, _COMMENTED).judgements()

    assert (judged.verdict, judged.statement) == (Verdict.CONTRACT, "-- what was long unused DROP TABLE people;")


def test_a_comment_in_an_expression_hides_nothing() -> None:
    one = upgrade('op.add_column("t", sa.Column("a", sa.Text(), sa.CheckConstraint("true) -- "), unique=True))')

    assert verdict(one) is Verdict.REVIEW


def test_an_operation_is_told_in_the_words_of_its_file() -> None:
    (judged,) = upgrade('op.drop_column("people", "name")').judgements()

    assert (judged.verdict, judged.statement) == (Verdict.CONTRACT, "op.drop_column('people', 'name')")


# -- Django


def project() -> dict[str, bytes]:
    root = HERE / "django_project"
    return {f"db/{path.relative_to(root)}": path.read_bytes() for path in root.rglob("*.py")}


def test_a_real_project_of_django_is_read_app_by_app() -> None:
    sources = read_sources(DJANGO, "db", project())

    changed = "shop.0002_remove_item_data_item_colour_item_note_item_size_and_more"
    assert [(one.id, one.parents) for one in sources] == [
        ("staff.0001_initial", ()),
        ("shop.0001_initial", ("staff.0001_initial",)),
        (changed, ("shop.0001_initial",)),
        ("shop.0003_backfill", (changed,)),
    ]
    assert {(one.line, one.verdict) for one in sources[2].judgements()} >= {
        (13, Verdict.CONTRACT),  # RemoveField
        (17, Verdict.CONTRACT),  # AddField with a default that only Django keeps
        (22, Verdict.EXPAND),  # AddField that may be null
        (27, Verdict.EXPAND),  # AddField with db_default
        (32, Verdict.CONTRACT),  # AlterField to another type
        (42, Verdict.CONTRACT),  # UniqueConstraint
        (46, Verdict.CONTRACT),  # CheckConstraint
    }
    assert sources[3].judgements() == ()


def django(operations: str, more: str = "") -> Source:
    first = _module(
        "migrations.CreateModel('Item', [('id', models.BigAutoField(primary_key=True)), "
        "('title', models.CharField(max_length=80, db_column='name')), ('tags', models.ManyToManyField('Tag'))], "
        "options={'db_table': 'items'})",
        "",
    )
    second = _module(operations, "('a', '0001_x')", more)
    return read_named(DJANGO, {"a/migrations/0001_x.py": first, "a/migrations/0002_y.py": second})[1]


def _module(operations: str, needs: str, more: str = "") -> str:
    return (
        "from django.contrib.postgres.operations import TrigramExtension\n"
        "from django.contrib.postgres.fields import ArrayField\n"
        "from django.db import migrations, models\nfrom somewhere import fields, more\n\n\nclass Migration(migrations.Migration):\n"
        f"    dependencies = [{needs}]\n    operations = [{operations}]\n{more}"
    )


@pytest.mark.parametrize(
    ("operations", "sql"),
    [
        ("migrations.RemoveField('item', 'title')", ['ALTER TABLE "items" DROP COLUMN "name" CASCADE']),
        ("migrations.RemoveField('Item', 'tags')", ['DROP TABLE "items_tags" CASCADE']),
        ("migrations.RenameField('item', 'id', 'key')", ['ALTER TABLE "items" RENAME COLUMN "id" TO "key"']),
        ("migrations.RenameField('item', 'title', 'label')", []),
        ("migrations.DeleteModel('Item')", ['DROP TABLE "items" CASCADE']),
        ("migrations.AlterModelTable('item', None)", ['ALTER TABLE "items" RENAME TO "a_item"']),
        ("migrations.AlterModelOptions('item', {'ordering': ['title']})", []),
        (
            "migrations.AlterField('item', 'title', models.CharField('A title', max_length=80, db_column='name'))",
            [],
        ),
        (
            "migrations.AlterField('item', 'title', models.CharField(max_length=80, db_column='name', null=True))",
            ['ALTER TABLE "items" ALTER COLUMN "name" DROP NOT NULL'],
        ),
        (
            "migrations.AddIndex('item', models.Index(fields=['title'], name='i'))",
            ['CREATE INDEX "i" ON "items" ("name")'],
        ),
        ("migrations.RunSQL('SELECT 1', 'SELECT 2')", ["SELECT 1"]),
        ("migrations.RunSQL(['SELECT 1', ('SELECT 3', None)], migrations.RunSQL.noop)", ["SELECT 1", "SELECT 3"]),
        ("migrations.RunPython(migrations.RunPython.noop)", []),
        (
            "migrations.SeparateDatabaseAndState([migrations.RunSQL('SELECT 1')], [migrations.DeleteModel('Item')])",
            ["SELECT 1"],
        ),
        (
            "migrations.AlterUniqueTogether('item', {('title', 'id')})",
            ['ALTER TABLE "items" ADD UNIQUE ("name", "id")'],
        ),
        ("TrigramExtension()", ["CREATE EXTENSION IF NOT EXISTS pg_trgm"]),
    ],
)
def test_what_operations_plainly_do_becomes_sql(operations: str, sql: list[str]) -> None:
    one = django(operations)

    assert statements(one) == sql
    assert one.told == ()


@pytest.mark.parametrize(
    "operations",
    [
        "migrations.RunPython(forwards)",
        "migrations.RunSQL(make())",
        "Invented()",
        "migrations.AddField('item', 'a', fields.Money())",
        "migrations.AddField('other', 'a', models.TextField())",
        "migrations.AlterField('item', 'gone', models.TextField())",
        "migrations.AddIndex('item', models.Index(Upper('title'), name='i'))",
        "migrations.AddConstraint('item', ExclusionConstraint(name='x'))",
        "migrations.AddField('item', 'a', models.TextField(null=True)), "
        "migrations.AddConstraint('item', models.UniqueConstraint(fields=['a'], name='u', nulls_distinct=False))",
        "*more",
        "more.RenameField('item', 'title', 'label')",
        "TextField()",
        "migrations.AddField('item', 'a', fields.TextField(null=True))",
        "migrations.AddField('item', 'a', ArrayField(fields.TextField(), null=True))",
        "migrations.AddIndex('item', models.UniqueIndex(fields=['title'], name='i'))",
        "migrations.AddIndex('item', fields.Index(fields=['title'], name='i'))",
        "migrations.AlterModelOptions('item', {MANAGED: False})",
        "migrations.AlterModelOptions('item', {**more})",
        # By Django's version, the columns of items_tags are renamed or not.
        "migrations.RenameModel('Item', 'Thing')",
    ],
)
def test_what_operations_do_not_plainly_do_is_for_a_person(operations: str) -> None:
    assert verdict(django(operations)) is Verdict.REVIEW


_LINKED = (
    "migrations.CreateModel('Owner', [('id', models.BigAutoField(primary_key=True)), "
    "('code', models.CharField(max_length=9, unique=True))]), "
    "migrations.CreateModel('Other', [('id', models.BigAutoField(primary_key=True))]), "
    "migrations.CreateModel('Item', [('id', models.BigAutoField(primary_key=True)), "
    "('n', models.IntegerField()), ('owner', models.ForeignKey('Owner', models.CASCADE)), "
    "('user', models.ForeignKey('auth.User', models.CASCADE)), "
    "('loose', models.ForeignKey('Owner', models.CASCADE, db_constraint=False))])"
)


def _chain(*steps: str, mores: tuple[str, ...] = ()) -> list[Source]:
    """Read migrations of one app that follow each other."""
    files = {
        f"a/migrations/{n:04}.py": _module(step, f"('a', '{n - 1:04}')" if n else "", mores[n] if mores else "")
        for n, step in enumerate(steps)
    }
    return list(read_named(DJANGO, files))


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("owner", "models.ForeignKey('Owner', models.CASCADE, to_field='code')"),
        ("owner", "models.ForeignKey('Other', models.CASCADE)"),
        ("owner", "models.ForeignKey('Owner', models.CASCADE, db_constraint=False)"),
        ("owner", "models.ForeignKey('Owner', models.CASCADE, db_column='who')"),
        ("owner", "models.ForeignKey('Owner', models.CASCADE, null=True)"),
        ("owner", "models.ForeignKey('Owner', models.CASCADE, db_index=False)"),
        ("owner", "models.OneToOneField('Owner', models.CASCADE)"),
        ("owner", "models.BigIntegerField(db_column='owner_id')"),
        ("owner", "models.ManyToManyField('Owner')"),
        ("owner", "models.ForeignKey('Owner', models.CASCADE, db_collation='C')"),
        ("loose", "models.BigIntegerField(db_column='loose_id', db_index=True)"),
        ("loose", "models.ForeignKey('Other', models.CASCADE, db_constraint=False)"),
        ("loose", "models.ForeignKey('Owner', models.CASCADE, db_constraint=False, to_field='code')"),
        ("user", "models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)"),
        ("n", "models.BigIntegerField()"),
        ("n", "models.PositiveIntegerField()"),
        ("n", "models.IntegerField(db_column='m')"),
        ("n", "models.IntegerField(null=True)"),
        ("n", "models.IntegerField(unique=True)"),
        ("n", "models.IntegerField(primary_key=True)"),
        ("n", "models.IntegerField(db_default=1)"),
        ("n", "models.CharField(max_length=9)"),
        ("n", "fields.IntegerField()"),
    ],
)
def test_a_field_that_becomes_something_else_is_never_an_expansion(name: str, field: str) -> None:
    changed = _chain(_LINKED, f"migrations.AlterField('item', '{name}', {field})")[1]
    assert verdict(changed) is not Verdict.EXPAND


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("owner", "models.ForeignKey('a.owner', models.PROTECT, related_name='items')"),
        ("user", "models.ForeignKey('auth.User', models.CASCADE, verbose_name='whose')"),
        ("n", "models.IntegerField('how many', default=3)"),
    ],
)
def test_a_field_that_stays_what_it_is_to_the_database_is_one(name: str, field: str) -> None:
    changed = _chain(_LINKED, f"migrations.AlterField('item', '{name}', {field})")[1]
    assert verdict(changed) is Verdict.EXPAND


_BACK = "migrations.AlterField('item', 'n', models.IntegerField())"


@pytest.mark.parametrize(
    ("unclear", "more"),
    [
        ("more.Invented('item')", ""),
        ("*more", ""),
        ("migrations.AlterField('item', 'n', fields.Money())", ""),
        ("migrations.AlterField('item', 'n', make())", ""),
        ("migrations.AlterField('item', NAME, models.BigIntegerField())", ""),
        ("migrations.SeparateDatabaseAndState([], more)", ""),
        ("migrations.RunSQL(make(), state_operations=more)", ""),
        (
            "migrations.RunSQL(make(), state_operations=[migrations.AlterField('item', 'n', models.BigIntegerField())])",
            "",
        ),
        ("", "    def mutate_state(self, state, preserve=True):\n        pass\n"),
    ],
)
def test_what_was_changed_by_something_unreadable_is_not_known_afterwards(unclear: str, more: str) -> None:
    _, _, back, again = _chain(_LINKED, unclear, _BACK, _BACK, mores=("", more, "", ""))
    assert verdict(back) is not Verdict.EXPAND
    assert verdict(again) is Verdict.EXPAND  # by then it is known again


def test_a_program_leaves_the_fields_what_they_are() -> None:
    assert verdict(_chain(_LINKED, "migrations.RunPython(forwards)", _BACK)[2]) is Verdict.EXPAND


def test_a_relation_to_a_model_that_took_over_a_name_is_for_a_person() -> None:
    swapped = "migrations.RenameModel('Owner', 'Former'), migrations.CreateModel('Owner', [('id', models.AutoField())])"
    pointed = "migrations.AlterField('item', 'owner', models.ForeignKey('Owner', models.CASCADE))"
    assert verdict(_chain(_LINKED, swapped, pointed)[2]) is Verdict.REVIEW


def test_fields_that_are_unique_together_follow_a_new_name() -> None:
    together = "migrations.AlterUniqueTogether('item', {('n', 'owner')})"
    renamed = (
        "migrations.RenameField('item', 'n', 'm'), migrations.AddField('item', 'n', models.IntegerField(null=True))"
    )
    assert verdict(_chain(_LINKED, together, renamed, together)[3]) is Verdict.CONTRACT


_DROPS = "[migrations.RunSQL('DROP TABLE items')]"


@pytest.mark.parametrize(
    "more",
    [
        "    def apply(self, *args):\n        pass\n",
        f"    operations += {_DROPS}\n",
        f"    if True:\n        operations = {_DROPS}\n",
        f"    for operations in [{_DROPS}]:\n        pass\n",
        f"    others = operations = {_DROPS}\n",
        f"    operations.extend({_DROPS})\n",
        f"Migration.operations = {_DROPS}\n",
        f"Migration.operations: list = {_DROPS}\n",
        "Migration = decorated\n",
    ],
)
def test_a_migration_that_is_no_plain_list_of_operations_is_for_a_person(more: str) -> None:
    assert verdict(django("", more)) is Verdict.REVIEW


@pytest.mark.parametrize(
    "head",
    [
        "class Migration(Other)",
        "class Migration(migrations.Migration, Other)",
        "@decorated\nclass Migration(migrations.Migration)",
        "class Migration(migrations.Migration, metaclass=Other)",
    ],
)
def test_a_migration_whose_operations_may_come_from_elsewhere_is_for_a_person(head: str) -> None:
    text = _module("", "").replace("class Migration(migrations.Migration)", head)

    assert verdict(read_named(DJANGO, {"a/migrations/1.py": text})[0]) is Verdict.REVIEW


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a/migrations/1.py": _module("", "('a', '0')")}, "depends on a.0, which is not there"),
        (
            {"a/migrations/1.py": _module("", ""), "a/migrations/2.py": _module("", "")},
            "the app a has 2 last migrations",
        ),
        (
            {"a/migrations/1.py": _module("", "('b', '1')"), "b/migrations/1.py": _module("", "('a', '1')")},
            "circle: db/a/migrations/1.py, db/b/migrations/1.py",
        ),
        ({"a/migrations/1.py": "x = 1"}, "has no class Migration"),
        ({"a/migrations/1.py": _module("", "make()")}, "line 8: a dependency cannot be read"),
    ],
)
def test_apps_that_do_not_fit_together_are_refused_with_the_file(files: dict[str, str], said: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_named(DJANGO, files)

    assert said in str(caught.value)


def test_another_packages_migration_may_be_depended_on() -> None:
    files = {
        "a/migrations/1.py": _module(
            "", "('auth', '0012_x'), migrations.swappable_dependency(settings.AUTH_USER_MODEL)"
        )
    }

    assert read_named(DJANGO, files)[0].parents == ("auth.0012_x",)


def test_a_squashed_migration_stands_for_those_that_are_gone() -> None:
    files = {
        "a/migrations/1_squashed.py": _module("", "", "    replaces = [('a', '1'), ('a', '2')]\n"),
        "a/migrations/3.py": _module("", "('a', '2')"),
    }

    first, second = read_named(DJANGO, files)
    assert (first.parents, second.parents) == ((), ("a.1_squashed",))
    assert (first.replaces, second.replaces) == (("a.1", "a.2"), ())


def test_a_squashed_migration_beside_what_it_replaces_changes_nothing_for_those_after_it() -> None:
    def altered(to: str) -> str:
        return f"migrations.AlterField('item', 'n', models.{to}())"

    files = {
        "a/migrations/1.py": _module(_LINKED, ""),
        "a/migrations/2.py": _module("", "('a', '1')"),
        "a/migrations/3.py": _module(altered("BigIntegerField"), "('a', '2')"),
        "a/migrations/zz_squashed.py": _module(_LINKED, "", "    replaces = [('a', '1'), ('a', '2')]\n"),
        "a/migrations/zzz.py": _module(altered("IntegerField"), "('a', '3'), ('a', 'zz_squashed')"),
    }
    assert verdict(read_named(DJANGO, files)[-1]) is Verdict.CONTRACT


# -- whatever there is

_PYTHON = st.text(alphabet=st.sampled_from("op.execute('x')\n  =[]{}:,*\"#\\"), max_size=60)


@given(st.sampled_from(MigratorKind), st.text(), st.text())
@settings(max_examples=200)
@example(ALEMBIC, "(" * 500, "a.py")
@example(ALEMBIC, "revision='1'\ndown_revision=None\ndef upgrade(): " + "-" * 5000 + "1", "a.py")
def test_no_file_makes_it_fail_otherwise(kind: MigratorKind, text: str, name: str) -> None:
    for path in (name, f"{name}.py", f"1_{name}.sql", f"a/migrations/{name}.py", "a/migration.sql"):
        with suppress(FairwayError):
            for one in read_sources(kind, "db", {f"db/{path}": text.encode(errors="replace")}):
                one.judgements()


@given(_PYTHON)
def test_no_upgrade_makes_it_fail_otherwise(body: str) -> None:
    with suppress(FairwayError):
        upgrade(body).judgements()

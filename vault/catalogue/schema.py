"""The catalogue's tables, and the steps from each version of them to the next.

There are two kinds of table: private data (`named`, `measured`, `energies`), and the projection of the ledger
(all others), which can be made again from it. A stem exists when its ledger entry has been applied, never
before.
"""

from __future__ import annotations

import sqlite3

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # The ledger this catalogue belongs to, how many of its entries are applied, and the ledger's size
        # after the last entry that changed a projected table.
        """CREATE TABLE ledger (
            one INTEGER PRIMARY KEY CHECK (one = 1), origin TEXT NOT NULL, applied INTEGER NOT NULL,
            touched INTEGER NOT NULL
        )""",
        "CREATE TABLE named (holder TEXT PRIMARY KEY, name TEXT NOT NULL, salt TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE measured (
            stem TEXT PRIMARY KEY, file_sha256 TEXT NOT NULL, frames INTEGER NOT NULL,
            channels INTEGER NOT NULL, lufs REAL NOT NULL, true_peak_dbtp REAL NOT NULL,
            sounding_frames INTEGER NOT NULL, chroma BLOB NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE holder (
            holder TEXT PRIMARY KEY, public_key TEXT NOT NULL, custody TEXT NOT NULL, entry INTEGER NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE stem (
            stem TEXT PRIMARY KEY, pcm_sha256 TEXT NOT NULL, file_sha256 TEXT NOT NULL, holder TEXT NOT NULL,
            title TEXT NOT NULL, role TEXT NOT NULL, shape TEXT NOT NULL, bpm_milli INTEGER,
            beats INTEGER, key TEXT, energy_milli INTEGER NOT NULL, set_name TEXT, isrc TEXT,
            entry INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX stem_role ON stem (role, shape)",
        "CREATE INDEX stem_holder ON stem (holder)",
        "CREATE INDEX stem_title ON stem (title COLLATE NOCASE)",
        "CREATE INDEX stem_file ON stem (file_sha256)",
        "CREATE TABLE mood (stem TEXT NOT NULL, mood TEXT NOT NULL, PRIMARY KEY (stem, mood)) WITHOUT ROWID",
        "CREATE INDEX mood_mood ON mood (mood)",
        """CREATE TABLE statement (
            entry INTEGER PRIMARY KEY, stem TEXT NOT NULL, holder TEXT NOT NULL, uses TEXT NOT NULL,
            action TEXT NOT NULL, until TEXT, time TEXT NOT NULL
        )""",
        "CREATE INDEX statement_stem ON statement (stem, holder)",
        """CREATE TABLE clearance (
            stem TEXT NOT NULL, use TEXT NOT NULL, entry INTEGER NOT NULL, since TEXT NOT NULL, until TEXT,
            PRIMARY KEY (stem, use)
        ) WITHOUT ROWID""",
        """CREATE TABLE share (
            stem TEXT NOT NULL, side TEXT NOT NULL, holder TEXT NOT NULL, ppm INTEGER NOT NULL,
            PRIMARY KEY (stem, side, holder)
        ) WITHOUT ROWID""",
    ),
    (
        # What was detected in the sound of a stem: a JSON object of `detection.Detected`.
        "ALTER TABLE measured ADD COLUMN heard TEXT NOT NULL DEFAULT '{}'",
    ),
    (
        # Consents for stems to come; and by their signatures, statements that were made already.
        """CREATE TABLE standing (
            entry INTEGER PRIMARY KEY, holder TEXT NOT NULL, uses TEXT NOT NULL, action TEXT NOT NULL,
            until TEXT, time TEXT NOT NULL
        )""",
        """CREATE TABLE stands (
            holder TEXT NOT NULL, use TEXT NOT NULL, entry INTEGER NOT NULL, since TEXT NOT NULL, until TEXT,
            PRIMARY KEY (holder, use)
        ) WITHOUT ROWID""",
        "CREATE TABLE removed (stem TEXT PRIMARY KEY, title TEXT NOT NULL, time TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE made (signature TEXT PRIMARY KEY, entry INTEGER NOT NULL) WITHOUT ROWID",
        *(f"DELETE FROM {table}" for table in ("holder", "stem", "mood", "statement", "clearance", "share")),
        "UPDATE ledger SET applied = 0, touched = 0",
    ),
    (
        # The ledger's size after the last entry by which a stem came or went.
        "ALTER TABLE ledger ADD COLUMN peopled INTEGER NOT NULL DEFAULT 0",
        "UPDATE ledger SET peopled = touched",
    ),
    (
        # Where the loudest 50 ms of a stem end; not known of those that came before this.
        "ALTER TABLE measured ADD COLUMN peak_frame INTEGER",
    ),
    (
        # How loud each stem is in each 100 ms, see `sound/energies.py`; what came before this has no row.
        "CREATE TABLE energies (stem TEXT PRIMARY KEY, levels BLOB NOT NULL) WITHOUT ROWID",
    ),
    (
        # What a statement allows to be done to the sound, joined by commas. Grants did not say it so far.
        *(
            f"ALTER TABLE {table} ADD COLUMN allows TEXT NOT NULL DEFAULT 'stretch'"
            for table in ("statement", "clearance", "standing", "stands")
        ),
        "UPDATE statement SET allows = '' WHERE action = 'withdraw'",
        "UPDATE standing SET allows = '' WHERE action = 'withdraw'",
    ),
    (
        # Of the stems that are not in 4/4, or of which the ends were cut.
        """CREATE TABLE form (
            stem TEXT PRIMARY KEY, meter TEXT, lead_frames INTEGER NOT NULL, tail TEXT
        ) WITHOUT ROWID""",
    ),
    (
        # The song of each stem that is one of a song's.
        "CREATE TABLE song (stem TEXT PRIMARY KEY, song TEXT NOT NULL) WITHOUT ROWID",
    ),
    (
        # What was declared of stems since they came, see `projection.py`; the ledger's size after the last of
        # it; and measurements by the grid to which the sound is conformed, empty for the first.
        """CREATE TABLE declaration (
            entry INTEGER PRIMARY KEY, stem TEXT NOT NULL, name TEXT NOT NULL, grid TEXT NOT NULL
        )""",
        "CREATE INDEX declaration_stem ON declaration (stem)",
        "ALTER TABLE ledger ADD COLUMN declared INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE stem ADD COLUMN grid TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE measured RENAME TO measured_before",
        """CREATE TABLE measured (
            stem TEXT NOT NULL, grid TEXT NOT NULL, file_sha256 TEXT NOT NULL, frames INTEGER NOT NULL,
            channels INTEGER NOT NULL, lufs REAL NOT NULL, true_peak_dbtp REAL NOT NULL,
            sounding_frames INTEGER NOT NULL, chroma BLOB NOT NULL, heard TEXT NOT NULL, peak_frame INTEGER,
            PRIMARY KEY (stem, grid)
        ) WITHOUT ROWID""",
        "INSERT INTO measured SELECT stem, '', file_sha256, frames, channels, lufs, true_peak_dbtp,"
        " sounding_frames, chroma, heard, peak_frame FROM measured_before",
        "DROP TABLE measured_before",
        "ALTER TABLE energies RENAME TO energies_before",
        """CREATE TABLE energies (
            stem TEXT NOT NULL, grid TEXT NOT NULL, levels BLOB NOT NULL, PRIMARY KEY (stem, grid)
        ) WITHOUT ROWID""",
        "INSERT INTO energies SELECT stem, '', levels FROM energies_before",
        "DROP TABLE energies_before",
    ),
)

VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to `VERSION`, each step with its version number in one transaction."""
    while (version := int(connection.execute("PRAGMA user_version").fetchone()[0])) < VERSION:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have taken this step while we waited for the lock.
            if int(connection.execute("PRAGMA user_version").fetchone()[0]) == version:
                for statement in MIGRATIONS[version]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1:d}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

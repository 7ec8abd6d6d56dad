import { describe, expect, it } from '@jest/globals';
import { PGlite } from '@electric-sql/pglite';
import { createTables, migrations, pgliteSource, type SqlDialect, SqlInbox } from '@millrace/outbox';
import { readdirSync, readFileSync } from 'node:fs';

const FOLDER = new URL('../migrations/', import.meta.url);
const DIALECTS: readonly SqlDialect[] = ['postgres', 'mysql'];

describe.each(DIALECTS)('the migrations of %s', (dialect) => {
  const files = readdirSync(new URL(`${dialect}/`, FOLDER));

  it('have a file each, with the same text', () => {
    expect(files.toSorted()).toEqual(migrations(dialect).map(({ name }) => `${name}.sql`));
    for (const { name, sql } of migrations(dialect)) expect(readFileSync(new URL(`${dialect}/${name}.sql`, FOLDER), 'utf8')).toBe(sql);
  });

  it('have the names that an application gives', () => {
    const [inbox] = migrations(dialect, { inbox: { table: 'handled', ownerTable: 'owned', schema: 'elsewhere' } });
    const mark = dialect === 'postgres' ? '"' : '`';
    expect(inbox!.sql).toContain(`TABLE IF NOT EXISTS ${mark}elsewhere${mark}.${mark}handled${mark} (`);
    expect(inbox!.sql).toContain(`TABLE IF NOT EXISTS ${mark}elsewhere${mark}.${mark}owned${mark} (`);
    expect(inbox!.sql).not.toContain('millrace');
  });

  it.each(['Handled', 'a-b', '', '1a', 'a; DROP TABLE x', 'a'.repeat(41)])('refuse the name %j', (table) => {
    expect(() => migrations(dialect, { inbox: { table } })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    expect(() => migrations(dialect, { inbox: { schema: table } })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });
});

describe('the migrations', () => {
  it('make what an inbox needs that may make nothing itself, and may be run again', async () => {
    const db = await PGlite.create();
    const text = readFileSync(new URL('postgres/0001_inbox.sql', FOLDER), 'utf8');
    const inbox = new SqlInbox({ database: pgliteSource(db), createTables: false });
    await expect(inbox.prepare()).rejects.toMatchObject({ code: 'DATABASE_FAILED' });
    for (let round = 0; round < 2; round += 1) await db.exec(text);
    await inbox.prepare();
    await createTables(pgliteSource(db));
    expect(await inbox.run('group', 'm1', async () => 1)).toEqual({ duplicate: false, value: 1 });
    await db.close();
  });

  it('are there for known dialects only', () => {
    expect(() => migrations('oracle' as SqlDialect)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  });
});

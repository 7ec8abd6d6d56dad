import { describe, expect, it } from '@jest/globals';
import { PGlite } from '@electric-sql/pglite';
import { createTables, migrations, Outbox, pgliteSource, type SqlDialect, SqlInbox } from '@millrace/outbox';
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

  it('have the name that an application gives the outbox', () => {
    const [, outbox] = migrations(dialect, { outbox: { table: 'outgoing', schema: 'elsewhere' } });
    const mark = dialect === 'postgres' ? '"' : '`';
    for (const table of ['outgoing', 'outgoing_lane']) {
      expect(outbox!.sql).toContain(`TABLE IF NOT EXISTS ${mark}elsewhere${mark}.${mark}${table}${mark} (`);
    }
    expect(outbox!.sql).not.toContain('millrace');
  });

  it.each(['Handled', 'a-b', '', '1a', 'a; DROP TABLE x', 'a'.repeat(41)])('refuse the name %j', (table) => {
    expect(() => migrations(dialect, { inbox: { table } })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    expect(() => migrations(dialect, { inbox: { schema: table } })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    expect(() => migrations(dialect, { outbox: { table } })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    expect(() => migrations(dialect, { outbox: { schema: table } })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });
});

describe('the migrations', () => {
  it('make all that an inbox and an outbox need that may make nothing themselves, and may be run again', async () => {
    const db = await PGlite.create();
    const source = pgliteSource(db);
    const texts = readdirSync(new URL('postgres/', FOLDER)).map((file) => readFileSync(new URL(`postgres/${file}`, FOLDER), 'utf8'));
    const inbox = new SqlInbox({ database: source, createTables: false });
    const outbox = new Outbox({ source, createTables: false });
    for (const each of [inbox, outbox]) await expect(each.prepare()).rejects.toMatchObject({ code: 'DATABASE_FAILED' });
    for (const text of [...texts, ...texts]) await db.exec(text);
    for (const each of [inbox, outbox]) await each.prepare();
    await createTables(source);
    expect(await outbox.counts()).toMatchObject({ pending: 0 });
    expect(await inbox.run('group', 'm1', async () => 1)).toEqual({ duplicate: false, value: 1 });
    await db.close();
  });

  it('are there for known dialects only', () => {
    expect(() => migrations('oracle' as SqlDialect)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  });
});

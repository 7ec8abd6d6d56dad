import { describe, expect, it } from '@jest/globals';
import { ERROR_CODES } from '@millrace/core';
import { allExportedNames, exportsOf } from './exports.js';
import { documentedSymbols, firstCells, memberTables } from './reference.js';

/** The packages that users import. */
const FOR_USERS = ['nestjs', 'testing'];

const exported = FOR_USERS.flatMap(exportsOf);
const documented = new Set(documentedSymbols());
const tables = memberTables();

/** Members that a table should list and does not, and the other way round. */
function differences({ symbol, members: listed }: (typeof tables)[number]): string[] {
  const found = exported.find(({ name }) => name === symbol);
  const missing = (found?.ownMembers ?? []).filter((member) => !listed.includes(member));
  const unknown = listed.filter((member) => !found?.members.includes(member));
  return [...missing.map((member) => `${symbol}.${member} is not in the reference`), ...unknown.map((member) => `${symbol} has no ${member}`)];
}

describe('docs/reference.md', () => {
  it('names every symbol that users can import', () => {
    expect(exported.length).toBeGreaterThan(100);
    expect(exported.map(({ name }) => name).filter((name) => !documented.has(name))).toEqual([]);
  });

  it('names no symbol that is not exported', () => {
    const names = allExportedNames();
    expect([...documented].filter((name) => !names.has(name))).toEqual([]);
  });

  it('lists every option of every class of options', () => {
    const options = exportsOf('nestjs').filter(({ name, ownMembers }) => /(Options|Query)$/.test(name) && ownMembers.length > 0);
    expect(options.map(({ name }) => name).filter((name) => !tables.some(({ symbol }) => symbol === name))).toEqual([]);
  });

  it('lists the options and properties that there are, and no others', () => {
    expect(tables.flatMap(differences)).toEqual([]);
  });

  it('explains every code of an error', () => {
    expect(firstCells('code').sort()).toEqual([...ERROR_CODES].sort());
  });

  it('lists every event', () => {
    const events = exportsOf('core').find(({ name }) => name === 'EventMap');
    expect(firstCells('event').sort()).toEqual([...events!.members].sort());
  });
});

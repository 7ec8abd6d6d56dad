import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';

const FOLDER = new URL('../src/scripts/', import.meta.url);
const scripts = readdirSync(FOLDER, { recursive: true }).map(String).filter((name) => name.endsWith('.lua'));

// A node refuses a script before it runs when a key that it declares has moved, and in its middle when another one has.
it.each(scripts)('%s touches no key that it was not given: it makes names of channels alone', (name) => {
  const made = readFileSync(new URL(name, FOLDER), 'utf8').split('\n').filter((line) => line.includes("'^.-}')"));
  expect(made.filter((line) => !line.includes("':ring"))).toEqual([]);
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LIBRARIES } from '../../tools/lint/layers.js';
import { MadeUpTree, REPOSITORY } from './house-lint.js';

interface Allowed {
  what: string;
  file: string;
  text: string;
}

interface Refused extends Allowed {
  complaint: string;
}

let tree: MadeUpTree;

beforeAll(async () => {
  tree = await MadeUpTree.create({
    'libs/streams/src/a.ts': "import { b } from './inner/b.js';\nexport const a = b;\n",
    'libs/streams/src/inner/b.ts': "import { c } from '../c.js';\nexport const b = c;\n",
    'libs/streams/src/c.ts': 'export const c = 1;\n',
    'apps/shop/src/one.ts': "export * from './two.js';\n",
    'apps/shop/src/two.ts': 'export const two = 2;\n',
  });
});

afterAll(() => tree.remove());

const refused: Refused[] = [
  { what: 'core imports redis', file: 'libs/core/src/x.ts', text: "import '@millrace/redis';", complaint: 'upward' },
  {
    what: 'redis imports streams',
    file: 'libs/redis/src/x.ts',
    text: "import { a } from '@millrace/streams'; a();",
    complaint: 'upward',
  },
  { what: 'the ledger imports streams', file: 'libs/ledger/src/x.ts', text: "import '@millrace/streams';", complaint: 'upward' },
  { what: 'outbox imports redis', file: 'libs/outbox/src/x.ts', text: "export * from '@millrace/redis';", complaint: 'upward' },
  {
    what: 'streams imports jobs, its neighbour',
    file: 'libs/streams/src/x.ts',
    text: "import '@millrace/jobs';",
    complaint: 'upward',
  },
  {
    what: 'jobs imports nestjs for a type alone',
    file: 'libs/jobs/src/x.ts',
    text: "import type { A } from '@millrace/nestjs'; export type B = A;",
    complaint: 'upward',
  },
  { what: 'testing imports nestjs', file: 'libs/testing/src/x.ts', text: "import '@millrace/nestjs';", complaint: 'upward' },
  {
    what: 'a library imports the test harness',
    file: 'libs/streams/src/x.ts',
    text: "import '@millrace/testing';",
    complaint: 'upward',
  },
  {
    what: 'a test of core imports streams',
    file: 'libs/core/test/x.spec.ts',
    text: "import '@millrace/streams';",
    complaint: 'upward',
  },
  {
    what: 'an upward import when it is run',
    file: 'libs/core/src/x.ts',
    text: "export const a = import('@millrace/redis');",
    complaint: 'upward',
  },
  {
    what: 'an upward import inside a type',
    file: 'libs/core/src/x.ts',
    text: "export type A = import('@millrace/redis').A;",
    complaint: 'upward',
  },
  {
    what: 'a library without a place in the table imports core',
    file: 'libs/new/src/x.ts',
    text: "import '@millrace/core';",
    complaint: 'upward',
  },
  { what: 'a library that is not there', file: 'apps/shop/src/x.ts', text: "import '@millrace/stream';", complaint: 'unknown' },
  {
    what: 'a file behind the index',
    file: 'libs/streams/src/x.ts',
    text: "import '@millrace/core/src/names.js';",
    complaint: 'deep',
  },
  {
    what: 'a file behind the index, from an application',
    file: 'apps/shop/src/x.ts',
    text: "import '@millrace/streams/dist/x.js';",
    complaint: 'deep',
  },
  {
    what: 'a file behind the index, from a test of the house',
    file: 'test/x.spec.ts',
    text: "import '@millrace/core/src/names.js';",
    complaint: 'deep',
  },
  { what: "a library's own index", file: 'libs/core/src/x.ts', text: "import '@millrace/core';", complaint: 'self' },
  {
    what: 'another library by a relative path',
    file: 'libs/streams/src/x.ts',
    text: "import '../../core/src/index.js';",
    complaint: 'escape',
  },
  {
    what: 'a library by a relative path, from an application',
    file: 'apps/shop/src/x.ts',
    text: "import '../../../libs/core/src/index.js';",
    complaint: 'escape',
  },
  {
    what: 'one application imports another',
    file: 'apps/worker/src/x.ts',
    text: "import '../../shop/src/shop.js';",
    complaint: 'escape',
  },
  {
    what: 'a library imports an application',
    file: 'libs/nestjs/src/x.ts',
    text: "import '../../../apps/shop/src/shop.js';",
    complaint: 'escape',
  },
  {
    what: 'a library imports what lies around it',
    file: 'libs/core/src/x.ts',
    text: "import '../../../tools/lint/layers.js';",
    complaint: 'escape',
  },
  { what: 'source imports a test', file: 'libs/core/src/x.ts', text: "import '../test/fixture.js';", complaint: 'test' },
  { what: 'two files import each other', file: 'apps/shop/src/two.ts', text: "import './one.js';", complaint: 'cycle' },
  {
    what: 'three files in a ring',
    file: 'libs/streams/src/c.ts',
    text: "import { a } from './a.js'; export const c = a;",
    complaint: 'cycle',
  },
  {
    what: 'a ring of types',
    file: 'libs/streams/src/c.ts',
    text: "import type { a } from './a.js'; export type C = typeof a;",
    complaint: 'cycle',
  },
  { what: 'a file imports itself', file: 'libs/streams/src/c.ts', text: "import './c.js';", complaint: 'cycle' },
  {
    what: 'streams imports ioredis',
    file: 'libs/streams/src/x.ts',
    text: "import { Redis } from 'ioredis'; new Redis();",
    complaint: 'package',
  },
  {
    what: 'streams imports a type of ioredis',
    file: 'libs/streams/src/x.ts',
    text: "import type { Redis } from 'ioredis'; export type R = Redis;",
    complaint: 'package',
  },
  { what: 'an application imports ioredis', file: 'apps/shop/src/x.ts', text: "import 'ioredis';", complaint: 'package' },
  { what: 'nestjs imports bullmq', file: 'libs/nestjs/src/x.ts', text: "import 'bullmq';", complaint: 'package' },
  {
    what: 'nestjs reaches into bullmq',
    file: 'libs/nestjs/src/x.ts',
    text: "import 'bullmq/dist/cjs/index.js';",
    complaint: 'package',
  },
  {
    what: 'a test of streams imports bullmq',
    file: 'libs/streams/test/x.spec.ts',
    text: "import 'bullmq';",
    complaint: 'package',
  },
  { what: 'jobs imports Nest', file: 'libs/jobs/src/x.ts', text: "import '@nestjs/common';", complaint: 'package' },
  {
    what: 'a test of streams imports Nest',
    file: 'libs/streams/test/x.spec.ts',
    text: "import '@nestjs/testing';",
    complaint: 'package',
  },
  { what: 'jobs imports pg', file: 'libs/jobs/src/x.ts', text: "import 'pg';", complaint: 'package' },
  { what: 'nestjs imports PGlite', file: 'libs/nestjs/src/x.ts', text: "import '@electric-sql/pglite';", complaint: 'package' },
  { what: 'another client of Redis', file: 'libs/redis/src/x.ts', text: "import 'redis';", complaint: 'package' },
  {
    what: 'a driver by require',
    file: 'apps/shop/src/x.ts',
    text: "declare const require: (id: string) => unknown; require('ioredis');",
    complaint: 'package',
  },
  { what: 'an engine measures itself', file: 'libs/streams/src/x.ts', text: "import 'prom-client';", complaint: 'package' },
  { what: 'core opens a socket', file: 'libs/core/src/x.ts', text: "import 'node:net';", complaint: 'pure' },
  { what: 'core reads a file', file: 'libs/core/src/x.ts', text: "import 'fs';", complaint: 'pure' },
];

const allowed: Allowed[] = [
  { what: 'a test of the ledger imports streams', file: 'libs/ledger/test/x.spec.ts', text: "import '@millrace/streams';" },
  {
    what: 'streams imports core and redis',
    file: 'libs/streams/src/x.ts',
    text: "import '@millrace/core'; import '@millrace/redis';",
  },
  {
    what: 'nestjs imports every library',
    file: 'libs/nestjs/src/x.ts',
    text: "import '@millrace/jobs'; import '@millrace/outbox'; import '@millrace/streams';",
  },
  {
    what: 'an application imports libraries and drivers of SQL',
    file: 'apps/shop/src/x.ts',
    text: "import '@millrace/nestjs'; import 'pg'; import '@nestjs/core';",
  },
  {
    what: 'a test imports the harness and its own index',
    file: 'libs/streams/test/x.spec.ts',
    text: "import '@millrace/testing'; import '@millrace/streams';",
  },
  { what: 'a test imports the source beside it', file: 'libs/streams/test/x.spec.ts', text: "import '../src/a.js';" },
  { what: 'redis imports ioredis', file: 'libs/redis/src/x.ts', text: "import 'ioredis';" },
  { what: 'a test imports ioredis', file: 'libs/streams/test/x.spec.ts', text: "import 'ioredis';" },
  { what: 'jobs imports bullmq', file: 'libs/jobs/src/x.ts', text: "import 'bullmq';" },
  { what: 'a test of nestjs imports bullmq', file: 'libs/nestjs/test/x.spec.ts', text: "import 'bullmq';" },
  { what: 'nestjs imports Nest', file: 'libs/nestjs/src/x.ts', text: "import '@nestjs/bullmq';" },
  {
    what: 'outbox imports the drivers of SQL',
    file: 'libs/outbox/src/x.ts',
    text: "import 'pg'; import '@electric-sql/pglite';",
  },
  {
    what: 'a file imports the next one, in one direction',
    file: 'libs/streams/src/x.ts',
    text: "import './a.js'; import './inner/b.js';",
  },
  {
    what: 'core uses what does no input or output',
    file: 'libs/core/src/x.ts',
    text: "import 'node:crypto'; import 'node:diagnostics_channel';",
  },
  { what: 'a package that has no wall', file: 'libs/core/src/x.ts', text: "import 'class-validator'; import 'redislike';" },
];

describe('the lint keeps the layers', () => {
  it.each(refused)('refuses: $what', async ({ file, text, complaint }) => {
    expect(await tree.lint(file, `${text}\n`)).toEqual([`imports: ${complaint}`]);
  });

  it.each(allowed)('allows: $what', async ({ file, text }) => {
    expect(await tree.lint(file, `${text}\n`)).toEqual([]);
  });
});

describe('the table of the layers', () => {
  it('points down only: a library uses those that stand above it in the table', () => {
    const names = Object.keys(LIBRARIES);
    for (const [name, uses] of Object.entries(LIBRARIES)) {
      expect(names.slice(0, names.indexOf(name))).toEqual(expect.arrayContaining([...uses]));
    }
  });

  it('has a row for every library of the repository', async () => {
    expect(Object.keys(LIBRARIES)).toEqual(expect.arrayContaining(await readdir(join(REPOSITORY, 'libs'))));
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parseBenchOptions } from '../src/options.js';
import type { Report } from '../src/report/report.js';
import { row } from '../src/report/row.js';
import { tables } from '../src/report/table.js';

const MACHINE = { node: 'v20.0.0', cores: 2, model: 'any', memoryGiB: 8, system: 'linux', load: [0, 0] } as const;

function reportOf(...rows: Report['rows']): Report {
  return { rows, contenders: [], machine: MACHINE };
}

describe('a baseline', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function fileOf(text: string): string {
    const path = join(folder, 'before.json');
    writeFileSync(path, text);
    return path;
  }

  it('is shown beside each figure that it has, with the change', () => {
    const before = fileOf(JSON.stringify(reportOf(row('idle', 40, { unit: 'commands/s' }), row('gone', 1, { unit: 'us' }))));
    const { baseline } = parseBenchOptions(['--baseline', before]);
    const report = reportOf(row('idle', 4, { unit: 'commands/s', bound: ['<=', 4] }), row('new', 2, { unit: 'us' }));
    const lines = tables({ report, missing: [] }, baseline).split('\n').map((line) => line.split(/ {2,}/));
    expect(lines).toContainEqual(['figure', 'value', 'unit', 'target', 'holds', 'before', 'now / before']);
    expect(lines).toContainEqual(['idle', '4', 'commands/s', '<= 4', 'yes', '40', '0.10']);
    expect(lines).toContainEqual(['new', '2', 'us']);
  });

  it('is refused before anything runs when it is none', () => {
    const parse = (path: string) => () => parseBenchOptions(['--baseline', path]);
    expect(parse(join(folder, 'nowhere.json'))).toThrow(/ENOENT/);
    expect(parse(fileOf('no JSON'))).toThrow(/holds no rows/);
    expect(parse(fileOf('{"contenders":[]}'))).toThrow(/holds no rows/);
  });
});

describe('the tables', () => {
  it('tell what is missing, and why', () => {
    expect(tables({ report: reportOf(), missing: ['idle: no server'] })).toContain('MISSING idle: no server\n');
  });
});

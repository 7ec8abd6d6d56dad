import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { METRICS } from '@millrace/telemetry';

it('docs/metrics.md has the metrics as they are exported', () => {
  const text = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(millrace_\w+)` \| (\w+) \| (.+?) \| (.+) \|$/gm)].map(([, ...cells]) => cells);
  const exported = Object.entries(METRICS).map(([name, { type, labels, help }]) => [name, type, labels.join(', ') || '-', help]);
  expect(rows).toEqual(exported);
});

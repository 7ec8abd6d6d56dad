import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { defineTopic } from '@millrace/core';
import { CliBed, rowsOf } from './cli-bed.js';
import { onTerminal } from './run-here.js';

const bed = new CliBed('pub');

describe('millrace pub', () => {
  it('publishes a payload after a preview', async () => {
    await bed.streams.declare(defineTopic('shop.notes'));
    const line = ['pub', 'shop.notes', '{"total":5}', '-k', 'c-7', '-H', 'a=b'];
    expect(await bed.run(line)).toMatchObject({ code: 4, stdout: 'payload     11 B\npartitions  1\ngroups      -\n' });
    expect((await bed.run([...line, '--execute'])).code).toBe(0);
    expect(await bed.json(['messages', 'get', 'shop.notes', '0:0'])).toMatchObject({ payload: { total: 5 }, key: 'c-7', headers: { a: 'b' } });
  });

  it('publishes each line of a file, and what it reads from standard input', async () => {
    await bed.streams.declare(defineTopic('shop.notes'));
    const file = join(bed.home, 'notes.ndjson');
    await writeFile(file, '{"total":6}\n\n{"total":7}\n');
    const { code, stdout } = await bed.run(['pub', 'shop.notes', '-f', file, '--rate', '1000/s', '--execute']);
    expect([code, rowsOf(stdout).map(({ PLACE }) => PLACE)]).toEqual([0, ['0:0', '0:1']]);
    expect((await bed.shell('echo 8 | $MILLRACE pub shop.notes - --execute')).code).toBe(0);
  });

  it('publishes a message again, also with another payload', async () => {
    await bed.streams.declare(defineTopic('shop.notes'));
    await bed.publisher.publish(defineTopic('shop.notes'), { total: 5 }, { key: 'c-7' });
    const edit = ['messages', 'republish', 'shop.notes', '0:0', '--edit', '{"total":9}'];
    expect(await bed.run(edit)).toMatchObject({ code: 4, stdout: 'new payload  {"total":9}\npayload      11 B\npartitions   1\ngroups       -\n' });
    expect((await bed.run(edit.slice(0, 4))).stdout).toBe('payload     11 B\npartitions  1\ngroups      -\n');
    const long = { text: 'x'.repeat(200) };
    const onNarrow = await onTerminal([...edit.slice(0, 5), JSON.stringify(long)], { env: bed.env, columns: 40 });
    expect(onNarrow.stdout).toMatch(/^new payload {2}\{"text":"x{17}…\n/);
    expect(JSON.parse((await bed.run([...edit.slice(0, 5), JSON.stringify(long), '--json'])).stdout)).toMatchObject({ dryRun: true, impact: { partitions: 1 }, payload: long });
    expect((await bed.run(['messages', 'republish', '--help'])).stdout).toContain('nothing is left of the payload that it had');
    expect((await bed.run([...edit, '--execute'])).code).toBe(0);
    expect(await bed.json(['messages', 'get', 'shop.notes', '0:1'])).toMatchObject({ payload: { total: 9 }, key: 'c-7' });
    expect((await bed.run(['messages', 'republish', 'shop.notes', '0:9', '--execute'])).code).toBe(3);
  });

  it('publishes nothing when a line of the file is no JSON', async () => {
    await bed.streams.declare(defineTopic('shop.notes'));
    const file = join(bed.home, 'broken.ndjson');
    await writeFile(file, '{"total":6}\n{total:7}\n');
    const { code, stderr } = await bed.run(['pub', 'shop.notes', '-f', file, '--execute']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('Line 2 of')]);
    expect((await bed.run(['pub', 'shop.notes', 'text', '--execute'])).code).toBe(2);
    expect(await bed.json(['topics', 'info', 'shop.notes'])).toMatchObject({ messages: 0 });
  });
});

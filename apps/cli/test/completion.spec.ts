import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { freePort, waitFor } from '@millrace/testing';
import { CliBed, COMPILED_MAIN } from './cli-bed.js';
import { HOSTILE, Mail, mails } from './topics.js';

const bed = new CliBed('completion');

async function completed(...words: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await bed.run(['complete', '--', ...words]);
  expect([code, stderr]).toEqual([0, '']);
  return stdout.split('\n').slice(0, -1);
}

describe('completion', () => {
  it('knows commands, options and their values from the tree', async () => {
    expect(await completed('to')).toEqual(expect.arrayContaining(['topics']));
    expect(await completed('')).not.toContain('complete');
    expect(await completed('--json', 'dlq', 're')).toEqual(['redrive']);
    expect(await completed('groups', 'seek', '--to', '-5m', '--part')).toEqual(['--partition']);
    expect(await completed('topics', 'ls', '--js')).toEqual(['--json', '--jsonl']);
    expect(await completed('completion', '')).toEqual(['bash', 'zsh', 'fish']);
    expect(await completed('topics', 'ls', '--limit', '')).toEqual([]);
    expect(await completed('nonsense', '')).toEqual([]);
  });

  it('asks for the names of topics, groups, services and contexts', async () => {
    await bed.publisher.publishMany(Mail, mails(1));
    await (await bed.subscribe(Mail, 'billing', () => Promise.resolve())).stop(500);
    await bed.rpc.serve({ service: 'payments', version: '1.0.0', concurrency: 1, methods: new Map() });
    await bed.run(['context', 'add', 'staging', '--redis', bed.server.url, '--prefix', bed.prefix]);
    expect(await completed('topics', 'info', 'shop')).toEqual(['shop.mails']);
    expect(await completed('topics', 'info', 'none')).toEqual([]);
    expect(await completed('tail', 'other', '')).toEqual(['shop.mails']);
    expect(await completed('groups', 'info', 'shop.mails', '--json', 'b')).toEqual(['billing']);
    expect(await completed('instances', 'ls', '--service', '')).toEqual(['payments']);
    expect(await completed('--context', 'st')).toEqual(['staging']);
    expect(await completed('--prefix=elsewhere', 'topics', 'info', '')).toEqual([]);
  });

  it('prints no name that a shell would take for more than a word', async () => {
    await bed.command('SADD', `${bed.prefix}:topics`, 'a b', '$(touch x)', HOSTILE, '-rf');
    expect(await completed('topics', 'info', '')).toEqual([]);
  });

  it('is silent and soon done where nobody answers', async () => {
    const port = await freePort();
    expect(await completed('--redis', `redis://127.0.0.1:${port}`, 'topics', 'info', '')).toEqual([]);
    bed.server.pause();
    try {
      expect(await completed('topics', 'info', '')).toEqual([]);
    } finally {
      bed.server.resume();
    }
  });

  it.each(['bash', 'zsh', 'fish'])('has a script that %s reads', async (shell) => {
    const { stdout, code } = await bed.run(['completion', shell]);
    expect(code).toBe(0);
    const { error, status, stderr } = spawnSync(shell, ['-n'], { input: stdout, encoding: 'utf8' });
    // A shell that is not installed here says nothing.
    if (error === undefined) expect([status, stderr]).toEqual([0, '']);
  });

  it('completes words in bash', async () => {
    await bed.publisher.publishMany(Mail, mails(1));
    const folder = await mkdtemp(join(bed.home, 'bin-'));
    const millrace = join(folder, 'millrace');
    await writeFile(millrace, `#!/bin/sh\nexec "${process.execPath}" "${COMPILED_MAIN}" "$@"\n`);
    await chmod(millrace, 0o700);
    const env = { ...bed.env, PATH: `${folder}:${process.env['PATH'] ?? ''}` };
    const press = (line: string): string[] => {
      const text = `source <(millrace completion bash); COMP_LINE='${line}' COMP_POINT=${line.length}; $(complete -p millrace | grep -o '_millrace'); printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout, stderr } = spawnSync('bash', ['-c', text], { env, encoding: 'utf8' });
      expect(stderr).toBe('');
      return stdout.trimEnd().split('\n');
    };
    expect(press('millrace dlq re')).toEqual(['redrive']);
    expect(press('millrace groups seek a b --exec')).toEqual(['--execute']);
    // Where the machine is busy the names may come too late: the key is pressed again.
    await waitFor(() => press('millrace topics info ').join() === 'shop.mails', { what: 'the name of the topic', timeoutMs: 120_000 });
  }, 180_000);
});

import { describe, expect, it } from '@jest/globals';
import { lineToRun } from '../src/session/line-to-run.js';
import { CliBed } from './cli-bed.js';
import { onTerminal } from './run-here.js';
import { Mail, mails } from './topics.js';

const bed = new CliBed('safety');

async function count(): Promise<number> {
  return ((await bed.json(['topics', 'info', 'shop.mails'])) as { messages: number }).messages;
}

describe('an action', () => {
  it('shows its effect, stops with code 4 and names the line to run, without passwords', async () => {
    await bed.publisher.publishMany(Mail, mails(2));
    const url = bed.server.url.replace('redis://', 'redis://default:secret@');
    const { code, stdout, stderr } = await bed.run(['topics', 'purge', 'shop.mails', '--actor', 'Ann Lee', '--redis', bed.server.url]);
    expect([code, stdout]).toEqual([4, expect.stringMatching(/^messages {2}2\n/)]);
    expect(stderr).toContain(`millrace topics purge shop.mails --actor 'Ann Lee' --redis ${bed.server.url} --execute --yes [NEEDS_EXECUTE]`);
    expect(await count()).toBe(2);
    const masked = await bed.run(['topics', 'create', 'x', `--redis=${url}`]);
    expect(masked.stderr).toContain('millrace topics create x --redis="$REDIS_URL" --execute');
    expect(await lineToRun(['topics', 'create', 'x', '--token=abc', '--token', 'abc'], ['--execute'])).toBe(
      'millrace topics create x --token="$MILLRACE_TOKEN" --token "$MILLRACE_TOKEN" --execute',
    );
  });

  it('names a line that can be run where it stands: with --yes where nobody can be asked, and where that is needed', async () => {
    await bed.publisher.publishMany(Mail, mails(2));
    const purge = ['topics', 'purge', 'shop.mails'];
    expect((await bed.run(purge)).stderr).toContain('millrace topics purge shop.mails --execute --yes [');
    expect((await bed.run([...purge, '--yes'])).stderr).toContain('millrace topics purge shop.mails --yes --execute [');
    expect((await onTerminal(purge, { env: bed.env })).stderr).toContain('millrace topics purge shop.mails --execute [');
    expect((await bed.run(['topics', 'create', 'x'])).stderr).toContain('millrace topics create x --execute [');
  });

  it('gives its effect and its confirmation as JSON', async () => {
    await bed.publisher.publishMany(Mail, mails(2));
    const { code, stdout, stderr } = await bed.run(['topics', 'rm', 'shop.mails', '--json']);
    expect(code).toBe(4);
    const confirmation = expect.any(String) as unknown;
    expect(JSON.parse(stdout)).toMatchObject({ apiVersion: 1, dryRun: true, impact: { messages: 2 }, confirmation });
    expect(JSON.parse(stderr)).toMatchObject({ apiVersion: 1, error: { code: 'NEEDS_EXECUTE', problems: [] } });
  });

  it('that cannot be undone is refused where nobody can be asked, unless --yes says it', async () => {
    await bed.publisher.publishMany(Mail, mails(2));
    const refused = await bed.run(['topics', 'purge', 'shop.mails', '--execute']);
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('Say --yes to do it. [NOT_CONFIRMED]')]);
    expect(await count()).toBe(2);
    expect((await bed.run(['topics', 'purge', 'shop.mails', '--execute', '--yes'])).code).toBe(0);
    expect(await count()).toBe(0);
  });

  it('that cannot be undone is done when the name is typed, and not for another name', async () => {
    await bed.publisher.publishMany(Mail, mails(2));
    const line = ['topics', 'purge', 'shop.mails', '--execute'];
    const wrong = await onTerminal(line, { env: bed.env, typed: 'yes' });
    expect([wrong.code, wrong.stderr]).toEqual([4, expect.stringContaining('This cannot be undone. Type shop.mails to do it: ')]);
    expect(wrong.stderr).toMatch(/^messages {2}2\n/);
    expect(await count()).toBe(2);
    expect(await onTerminal(line, { env: bed.env, typed: 'shop.mails' })).toMatchObject({ code: 0, stdout: 'removed  2\nheld by  -\n' });
    expect(await count()).toBe(0);
  });

  it('that can be undone asks nothing', async () => {
    expect((await bed.run(['topics', 'create', 'shop.mails', '--execute'])).code).toBe(0);
  });

  it('is written to the audit stream under the user and the host, unless told otherwise', async () => {
    await bed.run(['topics', 'create', 'shop.mails', '--execute']);
    await bed.run(['topics', 'create', 'shop.mails', '--execute', '--actor', 'ann']);
    const { items } = (await bed.json(['audit', 'ls'])) as { items: { actor: string }[] };
    expect(items.map(({ actor }) => actor)).toEqual(['ann', 'ann', expect.stringMatching(/^.+@.+$/), expect.stringMatching(/^.+@.+$/)]);
  });
});

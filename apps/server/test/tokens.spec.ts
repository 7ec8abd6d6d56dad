import { afterAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineTopic, MillraceModule } from '@millrace/nestjs';
import { uniqueName } from '@millrace/testing';
import { Controller, type DynamicModule, Get, Injectable, Module, type Type } from '@nestjs/common';
import { MillraceServerModule } from '../src/index.js';
import { readServerOptions } from '../src/server-options.js';
import { ADAPTERS, API } from './fixture.js';
import { ServerBed } from './server-bed.js';

const ALL = 'the-token-that-may-do-everything-of-all';
const [VIEWER, SENDER, ADMIN] = ['vera', 'sam', 'anna'].map((name) => `${name}-has-a-token-of-more-than-32-characters`) as [string, string, string];
const sha256 = (token: string): string => createHash('sha256').update(token).digest('hex');

const TOKENS = [
  { name: 'vera', sha256: sha256(VIEWER), role: 'viewer' as const },
  { name: 'sam', token: SENDER, send: true },
  { name: 'anna', sha256: sha256(ADMIN).toUpperCase(), role: 'admin' as const, payloads: true, send: true },
];

@Controller('own')
class Own {
  @Get()
  read(): object {
    return { own: true };
  }
}

@Controller('millrace/api/v1/own')
class OwnBelowTheApi extends Own {}

const bed = new ServerBed('tokens');
const folder = mkdtempSync(join(tmpdir(), 'tokens-'));
afterAll(() => rmSync(folder, { recursive: true }));

function applicationModule(...imports: DynamicModule[]): Type {
  return bed.module({ imports: [MillraceModule.forFeature([defineTopic('test.tokens')]), ...imports], controllers: [Own, OwnBelowTheApi] });
}

function fileOf(content: unknown): string {
  const path = join(folder, `${uniqueName('file')}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

async function statusOf(path: string, token: string, { body }: { body?: string } = {}): Promise<number | undefined> {
  return (await bed.send(path, { headers: { authorization: `Bearer ${token}` }, body })).status;
}

/** The answers to each token: a look, a publish, a look of an admin, and a search in payloads. */
async function rightsOf(token: string): Promise<(number | undefined)[]> {
  return [
    await statusOf(`${API}/topics`, token), await statusOf(`${API}/topics/test.tokens/messages`, token, { body: '1' }),
    await statusOf(`${API}/audit`, token), await statusOf(`${API}/topics/test.tokens/messages?text=1`, token),
  ];
}

describe('several tokens', () => {
  it('that a file lists let their bearers do what it says, beside the token that may do everything', async () => {
    const env = { MILLRACE_TOKENS_FILE: fileOf(TOKENS), MILLRACE_TOKEN: ALL, MILLRACE_PORT: '0' };
    await bed.startAlone(applicationModule(), readServerOptions(env));
    expect(await rightsOf(VIEWER)).toEqual([200, 403, 403, 403]);
    expect(await rightsOf(SENDER)).toEqual([403, 201, 403, 403]);
    expect(await rightsOf(ADMIN)).toEqual([200, 201, 200, 200]);
    expect(await rightsOf(ALL)).toEqual([200, 201, 200, 200]);
    expect(await rightsOf(sha256(VIEWER))).toEqual([401, 401, 401, 401]);
  });

  it('let no one but those who may do everything use routes of the application, wherever they are', async () => {
    await bed.startAlone(applicationModule(), readServerOptions({ MILLRACE_TOKENS_FILE: fileOf(TOKENS), MILLRACE_PORT: '0' }));
    for (const path of ['/own', '/OWN/', `${API}/own`, `${API.toUpperCase()}/own/`]) {
      const statuses = [await statusOf(path, VIEWER), await statusOf(path, SENDER), await statusOf(path, ADMIN)];
      expect({ path, statuses }).toEqual({ path, statuses: [403, 403, 200] });
    }
    expect(await statusOf('/nowhere', VIEWER)).toBe(403);
  });

  it.each(Object.keys(ADAPTERS))('may come from a factory (%s)', async (adapter) => {
    @Injectable()
    class Secrets {
      readonly tokens = Promise.resolve(TOKENS);
    }
    @Module({ providers: [Secrets], exports: [Secrets] })
    class SecretsModule {}
    const server = MillraceServerModule.forRootAsync({
      imports: [SecretsModule], inject: [Secrets], path: 'ops', useFactory: async (secrets: Secrets) => ({ tokens: await secrets.tokens, token: ALL }),
    });
    await bed.start(applicationModule(server), { adapter });
    expect(await statusOf('/ops/api/v1/topics', VIEWER)).toBe(200);
    expect(await statusOf('/ops/api/v1/topics/test.tokens/messages', VIEWER, { body: '1' })).toBe(403);
    expect(await statusOf('/ops/api/v1/topics/test.tokens/messages', SENDER, { body: '1' })).toBe(201);
    expect(await statusOf('/ops/api/v1/audit', ALL)).toBe(200);
    expect(await statusOf('/ops/api/v1/topics', `${ALL}x`)).toBe(401);
  });

  it.each<[string, unknown, string]>([
    ['no list', { [VIEWER]: 'viewer' }, 'must be a list of 1 to 1000 tokens'],
    ['nothing', [], 'must be a list of 1 to 1000 tokens'],
    ['no JSON', `[{ "token": "${VIEWER}" `, 'which is no JSON'],
    ['a token as a name', [{ [VIEWER]: 'viewer' }], '[0] has a part that is none of name, sha256, token, role, payloads, send'],
    ['a token that is too short', [{ name: 'a', token: VIEWER.slice(0, 31) }], 'token must have 32 to 512'],
    ['a digest that is none', [{ name: 'a', sha256: VIEWER }], 'sha256 must be the SHA-256 of the token'],
    ['neither', [{ name: 'a' }], 'must have one of sha256 and token'],
    ['both', [{ name: 'a', token: VIEWER, sha256: sha256(VIEWER) }], 'must have one of sha256 and token'],
    ['a role that is none', [{ name: 'a', token: VIEWER, role: 'root' }], 'role must be one of viewer, operator, admin'],
    ['a right that is no truth', [{ name: 'a', token: VIEWER, send: 'yes' }], 'send must be true or false'],
    ['no name', [{ token: VIEWER }], 'name must be a text'],
    ['a name twice', [{ name: 'a', token: VIEWER }, { name: 'a', token: SENDER }], 'has the name a twice'],
    ['a token twice', [{ name: 'a', token: VIEWER }, { name: 'b', sha256: sha256(VIEWER) }], 'has the same token as a and b'],
  ])('are refused with %s, and not shown', (_, content, problem) => {
    const read = (): unknown => readServerOptions({ MILLRACE_TOKENS_FILE: fileOf(content) });
    expect(read).toThrow(problem);
    expect(read).not.toThrow(VIEWER.slice(0, 31));
  });

  it('are refused when the file is not there, and make the server reachable from elsewhere when it is', () => {
    expect(() => readServerOptions({ MILLRACE_TOKENS_FILE: join(folder, 'none') })).toThrow('which cannot be read: ENOENT');
    expect(readServerOptions({ MILLRACE_HOST: '0.0.0.0', MILLRACE_TOKENS_FILE: fileOf(TOKENS) })).toMatchObject({ token: null, tokens: TOKENS });
    expect(() => MillraceServerModule.forRoot({ tokens: TOKENS, authorize: () => null })).toThrow('Give one of them');
    expect(() => MillraceServerModule.forRootAsync({ path: 'a/b', useFactory: () => ({ token: ALL }) })).toThrow('path must be');
  });
});

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { contextsPath } from '../src/connection/contexts.js';
import { placeOf } from '../src/connection/connection.js';
import { CliBed } from './cli-bed.js';

const bed = new CliBed('connection');

async function contexts(text: string): Promise<NodeJS.ProcessEnv> {
  const env = { XDG_CONFIG_HOME: bed.home };
  await mkdir(join(bed.home, 'millrace'), { recursive: true });
  await writeFile(contextsPath(env), text);
  return env;
}

const URL = 'http://127.0.0.1:3000';

describe('whom a command asks', () => {
  it('is said by a flag, the environment, the context in use, or is a Redis on this machine, in this order', async () => {
    const known = { staging: { url: URL, token: 'of-staging' }, local: { redis: 'redis://127.0.0.1:1', prefix: 'own' } };
    const env = await contexts(JSON.stringify({ current: 'local', contexts: known }));
    const all = { ...env, MILLRACE_URL: URL, MILLRACE_TOKEN: 'of-env', MILLRACE_PREFIX: 'other' };
    expect(placeOf({ redis: 'redis://a' }, all)).toEqual({ redis: 'redis://a', prefix: 'other' });
    expect(placeOf({ url: 'https://b', token: 't' }, all)).toEqual({ url: 'https://b', token: 't' });
    expect(placeOf({ context: 'staging' }, all)).toEqual({ url: URL, token: 'of-staging' });
    expect(placeOf({}, all)).toEqual({ url: URL, token: 'of-env' });
    expect(placeOf({}, { ...env, REDIS_SENTINELS: 'a:1' })).toEqual({ redis: null, prefix: 'millrace' });
    expect(placeOf({}, env)).toEqual({ redis: 'redis://127.0.0.1:1', prefix: 'own' });
    expect(placeOf({ prefix: 'flag' }, env)).toEqual({ redis: 'redis://127.0.0.1:1', prefix: 'flag' });
    expect(placeOf({}, { XDG_CONFIG_HOME: '/nowhere' })).toEqual({ redis: null, prefix: 'millrace' });
  });

  it('is a server also by the URL of its API', () => {
    for (const path of ['/millrace/api/v1', '/millrace/api/v1/', '//millrace/api/v1//']) expect(placeOf({ url: `${URL}${path}` }, {})).toEqual({ url: URL, token: null });
    expect(placeOf({}, { MILLRACE_URL: `${URL}/shop/millrace/api/v1` })).toEqual({ url: `${URL}/shop`, token: null });
    expect(placeOf({ url: `${URL}/millrace/api/v1/topics` }, {})).toEqual({ url: `${URL}/millrace/api/v1/topics`, token: null });
  });

  it('is refused where it cannot be understood', async () => {
    const place = (options: object, env: NodeJS.ProcessEnv = { XDG_CONFIG_HOME: '/nowhere' }) => () => placeOf(options, env);
    expect(place({ url: 'ftp://a' })).toThrow('begins with http:// or https://');
    expect(place({ url: 'http://user:secret@a' })).toThrow('no user, no password');
    expect(place({ url: 'http://a', token: 'secret-\rtoken' })).toThrow(/^(?!.*secret).*visible ASCII/);
    expect(place({ context: 'none' })).toThrow('There is no context none; there is none.');
    expect(place({ prefix: 'a b' })).toThrow('key prefix');
    expect(place({ url: URL, redis: 'redis://a' })).toThrow('--url and --redis both say whom to ask.');
    expect(place({ url: URL, context: 'a' })).toThrow('--url and --context both say whom to ask.');
    expect(place({ url: URL, redis: 'redis://a', context: 'a' })).toThrow('--url and --redis and --context all say whom to ask.');
    for (const env of [{}, { MILLRACE_URL: URL }]) {
      expect(place({ prefix: 'shop', ...('MILLRACE_URL' in env ? {} : { url: URL }) }, env)).toThrow('--prefix belongs to a Redis');
    }
    expect(place({ redis: 'redis://a', token: 't' })).toThrow('--token belongs to a server');
    for (const text of ['{', '[]', '{"contexts":[]}', '{"contexts":{"a":{}}}', '{"contexts":{"a":{"url":1}}}', '{"current":1,"contexts":{}}', 'null']) {
      expect(place({}, await contexts(text))).toThrow('is no list of contexts');
    }
  });

  it('may be a server that needs a certificate, or a Cluster, by the variables that applications have', async () => {
    const both = await bed.run(['topics', 'ls'], { REDIS_CLUSTER_NODES: '127.0.0.1:1' });
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('REDIS_URL and REDIS_CLUSTER_NODES both say where Redis is')]);
    const tls = await bed.run(['topics', 'ls'], { MILLRACE_REDIS_CA: '/nowhere' });
    expect([tls.code, tls.stderr]).toEqual([2, expect.stringContaining('nothing would be encrypted')]);
  });
});

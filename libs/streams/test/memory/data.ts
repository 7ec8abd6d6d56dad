type Call = (command: string, ...args: (string | number)[]) => Promise<unknown>;

/** All keys with all that they hold, but for times: when a member was seen last, and how long it holds an entry. */
export async function dataOf(call: Call, keys: readonly string[]): Promise<Record<string, unknown>> {
  const rows = await Promise.all([...keys].sort().map(async (key) => [key, await contentOf(call, key)]));
  return Object.fromEntries(rows) as Record<string, unknown>;
}

async function contentOf(call: Call, key: string): Promise<unknown> {
  switch (await call('TYPE', key)) {
    case 'hash':
      return new Map(pairsOf((await call('HGETALL', key)) as string[]));
    case 'zset':
      return call('ZRANGE', key, 0, -1, 'WITHSCORES');
    case 'string':
      return Promise.all([call('GET', key), call('STRLEN', key), call('BITCOUNT', key)]);
    default:
      return streamOf(call, key);
  }
}

function pairsOf(list: readonly string[]): [string, string][] {
  return list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1]!] as [string, string]] : []));
}

async function streamOf(call: Call, key: string): Promise<unknown> {
  const info = (await call('XINFO', 'STREAM', key)) as string[];
  const groups = (await call('XINFO', 'GROUPS', key)) as string[][];
  return {
    entries: await call('XRANGE', key, '-', '+'),
    info: pairsOf(info).filter(([name]) => !name.startsWith('radix')),
    groups,
    pending: await Promise.all(groups.map(([, name]) => pendingOf(call, key, name!))),
    consumers: await Promise.all(groups.map(([, name]) => consumersOf(call, key, name!))),
  };
}

async function pendingOf(call: Call, key: string, group: string): Promise<unknown> {
  const rows = (await call('XPENDING', key, group, '-', '+', 1_000)) as unknown[][];
  return rows.map(([id, owner, , deliveries]) => [id, owner, deliveries]);
}

async function consumersOf(call: Call, key: string, group: string): Promise<unknown> {
  const rows = (await call('XINFO', 'CONSUMERS', key, group)) as unknown[][];
  return rows.map(([, name, , pending]) => [name, pending]);
}

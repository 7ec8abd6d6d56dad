import { spawnSync } from 'node:child_process';
import { readdirSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ADVICE =
  'Give a folder with one executable for each server, of any names: npm run test:matrix -- --servers FOLDER, or set MILLRACE_SERVERS to it. ' +
  'Links do: ln -s $(command -v redis-server) FOLDER/redis-7.0';

/**
 * The servers in a folder: executables that say that they are a Redis or a Valkey server.
 *
 * @returns `{ servers: { name, version, binary }[], problem }`; `problem` is null, or says what to do when there is no server
 */
export function serversIn(folder, only = []) {
  if (!folder) return { servers: [], problem: `There is no folder of servers. ${ADVICE}` };
  const place = resolve(folder);
  let names;
  try {
    names = readdirSync(place).sort();
  } catch (error) {
    return { servers: [], problem: `The folder of servers cannot be read: ${error.message}. ${ADVICE}` };
  }
  const found = names.map((name) => serverAt(name, join(place, name))).filter((server) => server !== null);
  if (found.length === 0) return { servers: [], problem: `There is no Redis or Valkey server in ${place}. ${ADVICE}` };
  const servers = found.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)));
  const known = found.map(({ name }) => name).join(', ');
  return { servers, problem: servers.length > 0 ? null : `No server fits --only ${only.join(',')}; there are ${known}.` };
}

function serverAt(name, path) {
  const { stdout, status } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  const [, product, version] = (status === 0 && /^(Redis|Valkey) server v=(\S+)/.exec(stdout)) || [];
  return product ? { name, version: `${product} ${version}`, binary: realpathSync(path) } : null;
}

import { readFile } from 'node:fs/promises';
import { asError } from '@millrace/core';

/** The facts that decide how software is installed here. */
export interface HostSystem {
  readonly platform: NodeJS.Platform;
  /** The text of /etc/os-release; empty where there is none. */
  readonly osRelease: string;
  readonly isRoot: boolean;
}

const DOCKER_LINE = 'docker run --rm -d -p 127.0.0.1:6379:6379 redis:7 redis-server --maxmemory-policy noeviction';
const REDIS_APT =
  'curl -fsSL https://packages.redis.io/gpg | sudo gpg --dearmor -o /usr/share/keyrings/redis-archive-keyring.gpg && ' +
  'echo "deb [signed-by=/usr/share/keyrings/redis-archive-keyring.gpg] https://packages.redis.io/deb $CODENAME main" | ' +
  'sudo tee /etc/apt/sources.list.d/redis.list && sudo apt-get update && sudo apt-get install -y redis';

/** The command that installs a Redis of 7.0 or newer here, or null where we know none. */
export function installLine(system: HostSystem): string | null {
  const line = system.platform === 'linux' ? linuxLine(system.osRelease) : (OTHER_SYSTEMS.get(system.platform) ?? null);
  return line && system.isRoot ? line.replaceAll('sudo ', '') : line;
}

/** How to install a Redis here: sentences that end with a command. */
export function installAdvice(system: HostSystem): string {
  const line = installLine(system);
  if (line) return `Install one with: ${line}\nOr set REDIS_URL to one that runs.`;
  const docker = system.platform === 'win32' ? 'Docker (winget install -e --id Docker.DockerDesktop)' : 'Docker';
  return `Set REDIS_URL to one that runs. With ${docker}: REDIS_URL=redis://127.0.0.1:6379 after\n${DOCKER_LINE}`;
}

export async function hostSystem(): Promise<HostSystem> {
  return { platform: process.platform, osRelease: await readOsRelease(), isRoot: process.getuid?.() === 0 };
}

const OTHER_SYSTEMS: ReadonlyMap<NodeJS.Platform, string> = new Map([['darwin', 'brew install redis']]);

function linuxLine(osRelease: string): string | null {
  const families = [field(osRelease, 'ID'), ...field(osRelease, 'ID_LIKE').split(' ')];
  const installer = FAMILIES.find(({ ids }) => ids.some((id) => families.includes(id)));
  return installer ? installer.line(osRelease) : null;
}

const FAMILIES: readonly { ids: readonly string[]; line: (osRelease: string) => string }[] = [
  { ids: ['debian', 'ubuntu'], line: aptLine },
  { ids: ['rhel', 'centos'], line: enterpriseLine },
  { ids: ['fedora'], line: () => 'sudo dnf install -y valkey' },
  { ids: ['alpine'], line: () => 'sudo apk add redis' },
  { ids: ['arch'], line: () => 'sudo pacman -S --noconfirm valkey' },
];

/** The releases before these carry Redis 6, which is too old: then the packages come from redis.io. */
const FIRST_WITH_REDIS_7 = new Map([['debian', 12], ['ubuntu', 24]]);

function aptLine(osRelease: string): string {
  const first = FIRST_WITH_REDIS_7.get(field(osRelease, 'ID')) ?? 0;
  const version = Number.parseFloat(field(osRelease, 'VERSION_ID')) || first;
  if (version >= first) return 'sudo apt-get update && sudo apt-get install -y redis-server';
  return REDIS_APT.replace('$CODENAME', field(osRelease, 'VERSION_CODENAME'));
}

function enterpriseLine(osRelease: string): string {
  const major = Number.parseInt(field(osRelease, 'VERSION_ID'), 10);
  return major === 9 ? 'sudo dnf module install -y redis:7' : 'sudo dnf install -y valkey';
}

function field(osRelease: string, name: string): string {
  return new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(osRelease)?.[1] ?? '';
}

async function readOsRelease(): Promise<string> {
  try {
    return await readFile('/etc/os-release', 'utf8');
  } catch (thrown) {
    const error: NodeJS.ErrnoException = asError(thrown);
    if (error.code === 'ENOENT') return '';
    throw error;
  }
}

import { type LocalPlace, LocalProcess, startInPlace } from './local-process.js';
import { type LocalTls, trustSettings } from './local-tls.js';

export interface LocalServerOptions {
  /** Absolute path of a `redis-server` or `valkey-server`. */
  readonly binary: string;
  /** How its append-only file is written to disk; `'no'`: there is none, its data ends with it. Default `'no'`. */
  readonly appendonly?: 'no' | 'everysec' | 'always';
  /** It is asked of clients, and shown to a primary that the server follows. Default: none. */
  readonly password?: string;
  /** As Redis writes it: `'64mb'`. Default: no limit. */
  readonly maxmemory?: string;
  /** It is a node of a Cluster, with a second free port for its bus. Default false. */
  readonly isClusterNode?: boolean;
  /** It speaks TLS alone, with clients and with other servers. Default: no TLS. */
  readonly tls?: LocalTls;
  /** The port that it listens on. Default: a free one. */
  readonly port?: number;
  /** Absolute path, without links, of a folder that is there: it keeps the data, and stays. Default: its own temporary folder. */
  readonly data?: string;
  /** More arguments for the server: `['--requirepass', 'x']`. */
  readonly extra?: readonly string[];
  /** Default `process.env`. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * A Redis server of our own: on 127.0.0.1 only, on a free port, in a temporary folder, never evicting, gone with this
 * process however that ends. After a restart it has the data that its append-only file holds.
 */
export class LocalServer extends LocalProcess {
  readonly url: string;
  /** The port of the bus of a node of a Cluster. */
  readonly busPort: number | undefined;
  readonly tls: LocalTls | undefined;

  private constructor(options: LocalServerOptions, place: LocalPlace) {
    const { binary, env, password, tls } = options;
    super({ place, command: [binary, ...serverArguments(options, place)], env, password, tls });
    this.tls = tls;
    this.url = `${tls ? 'rediss' : 'redis'}://${password === undefined ? '' : `:${encodeURIComponent(password)}@`}127.0.0.1:${this.port}`;
    this.busPort = place.ports[1];
  }

  /**
   * Resolves when the server answers.
   *
   * @throws MillraceError REDIS_FAILED, with the end of its log, when it does not start; REDIS_UNSUPPORTED when it is too old
   */
  static start(options: LocalServerOptions): Promise<LocalServer> {
    const { isClusterNode, port, data } = options;
    const needs = { prefix: 'millrace-redis-', ports: isClusterNode ? 2 : 1, port, data };
    return startInPlace(needs, (place) => new LocalServer(options, place));
  }
}

function serverArguments(options: LocalServerOptions, { ports: [port, bus], folder, data = folder }: LocalPlace): string[] {
  const { appendonly = 'no', maxmemory = '0', extra = [], password, tls } = options;
  const secret = password === undefined ? [] : ['--requirepass', password, '--masterauth', password];
  const fsync = appendonly === 'no' ? [] : ['--appendfsync', appendonly];
  const cluster = bus === undefined ? [] : ['--cluster-enabled', 'yes', '--cluster-port', String(bus)];
  return [
    ...portArguments(port, tls), '--bind', '127.0.0.1', '--dir', data,
    '--save', '', '--appendonly', appendonly === 'no' ? 'no' : 'yes', ...fsync,
    '--maxmemory', maxmemory, '--maxmemory-policy', 'noeviction', ...secret, ...cluster, ...extra,
  ];
}

function portArguments(port: number, tls: LocalTls | undefined): string[] {
  if (!tls) return ['--port', String(port)];
  const trust = trustSettings(tls).flatMap(([name, value]) => [`--${name}`, value]);
  return ['--port', '0', '--tls-port', String(port), '--tls-cluster', 'yes', '--tls-replication', 'yes', ...trust];
}

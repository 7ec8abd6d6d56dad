import { connect, type Socket } from 'node:net';
import { connect as connectSecurely, type TLSSocket } from 'node:tls';
import { AbstractConnector, type Redis, type RedisOptions, type SentinelConnectionOptions, SentinelConnector } from 'ioredis';
import { hearErrorsOf } from './socket-errors.js';

type Tell = Parameters<AbstractConnector['connect']>[0];
type ConnectToSentinel = (address: unknown, options?: RedisOptions) => Redis;

/** Connects as ioredis does by itself. */
class HearingConnector extends AbstractConnector {
  readonly #options: RedisOptions;

  constructor(options: RedisOptions) {
    super(options.disconnectTimeout!);
    this.#options = options;
  }

  connect(): Promise<Socket | TLSSocket> {
    this.connecting = true;
    const { tls } = this.#options;
    const place = placeOf(this.#options);
    const stream = tls ? connectSecurely({ ...place, ...tls }) : connect(place);
    this.stream = stream;
    stream.once('error', (error: Error) => void (this.firstError = error));
    return Promise.resolve(hearErrorsOf(stream));
  }
}

/** The connections to the Sentinels themselves are made of options as well. */
class HearingSentinelConnector extends SentinelConnector {
  constructor(options: SentinelConnectionOptions) {
    super(options);
    const own = this as unknown as { connectToSentinel: ConnectToSentinel };
    const connectToSentinel = own.connectToSentinel.bind(this);
    own.connectToSentinel = (address, given) =>
      connectToSentinel(address, { ...given, Connector: HearingConnector as Connector });
  }

  override async connect(tell: Tell): Promise<Socket | TLSSocket> {
    return hearErrorsOf(await super.connect(tell));
  }
}

type Connector = NonNullable<RedisOptions['Connector']>;

/** Options of a client that a library makes itself, and copies: each hears every error of its sockets. */
export function hearingOptions<Options extends RedisOptions>(options: Options): Options & { readonly Connector: Connector } {
  return { ...options, Connector: (options.sentinels ? HearingSentinelConnector : HearingConnector) as Connector };
}

function placeOf({ path, host, port, family }: RedisOptions): { path: string } | { host: string; port: number; family: number } {
  return path ? { path } : { host: host!, port: port!, family: family! };
}

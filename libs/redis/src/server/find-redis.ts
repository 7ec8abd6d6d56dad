import { asError, MillraceError } from '@millrace/core';
import { connectServer } from '../boot/connect-server.js';
import { DockerServer, dockerProblem } from './docker-server.js';
import { hostSystem, installAdvice } from './install-hint.js';
import { LocalServer } from './local-server.js';
import { findOnPath, serverBinaries } from './server-binaries.js';

/** A Redis that can be used. */
export interface RunningRedis {
  readonly url: string;
  /** Where it comes from: `REDIS_URL`, the path of the server that was started, or `docker redis:7`. */
  readonly source: string;
  /** The places that were tried before, each with the reason why it was not used. */
  readonly passedOver: readonly string[];
  /** Ends the server if we started it; does nothing to that of REDIS_URL. May be called again. */
  stop(): Promise<void>;
}

export interface FindRedisOptions {
  /** REDIS_URL and PATH are read from it. Default `process.env`. */
  readonly env?: NodeJS.ProcessEnv;
}

/** One place to look: it gives a Redis, or null and says why not. */
type Rung = (env: NodeJS.ProcessEnv, passedOver: string[]) => Promise<RunningRedis | null>;

/**
 * Finds a Redis, or starts one: the one of REDIS_URL if that is set, and no other; else a server on the PATH, else that of
 * the optional npm package `@falkordblite/linux-x64`, else a container. A server started here keeps nothing: it ends with
 * this process, however that ends, and its data with it.
 *
 * @throws MillraceError REDIS_UNREACHABLE, REDIS_UNSUPPORTED, INVALID_OPTIONS (REDIS_URL); REDIS_NOT_FOUND with the command
 *   that installs one here
 */
export async function findRedis(options: FindRedisOptions = {}): Promise<RunningRedis> {
  const env = options.env ?? process.env;
  const url = env['REDIS_URL']?.trim();
  if (url) return givenRedis(url);
  const passedOver: string[] = [];
  for (const rung of RUNGS) {
    const redis = await rung(env, passedOver);
    if (redis) return redis;
  }
  const message = `REDIS_URL is not set and no Redis could be started here. ${installAdvice(await hostSystem())}`;
  throw new MillraceError('REDIS_NOT_FOUND', message, { problems: passedOver });
}

async function givenRedis(url: string): Promise<RunningRedis> {
  const connections = await connectServer({ url, name: 'millrace:probe' });
  connections.close();
  return { url, source: 'REDIS_URL', passedOver: [], stop: () => Promise.resolve() };
}

const localRedis: Rung = async (env, passedOver) => {
  const binaries = await serverBinaries(env);
  if (binaries.length === 0) passedOver.push('there is no redis-server or valkey-server on the PATH');
  for (const binary of binaries) {
    try {
      const server = await LocalServer.start({ binary, env });
      return { url: server.url, source: binary, passedOver, stop: () => server.stop() };
    } catch (thrown) {
      passedOver.push(`${binary}: ${asError(thrown).message}`);
    }
  }
  return null;
};

const dockerRedis: Rung = async (env, passedOver) => {
  const docker = await findOnPath('docker', env);
  const problem = docker ? await dockerProblem(docker) : 'there is no docker on the PATH';
  if (problem) passedOver.push(problem);
  if (!docker || problem) return null;
  try {
    const server = await DockerServer.start(docker);
    return { url: server.url, source: 'docker redis:7', passedOver, stop: () => server.stop() };
  } catch (thrown) {
    passedOver.push(`docker: ${asError(thrown).message}`);
    return null;
  }
};

/** Guarding a server needs a shell, which Windows does not have: there REDIS_URL is the only way. */
const RUNGS: readonly Rung[] = process.platform === 'win32' ? [] : [localRedis, dockerRedis];

import type { Writable } from 'node:stream';
import type { RedisQueueBackend } from 'bullmq';

/** Redis reads so many bytes of a connection at once: to hold back more would only keep it waiting. */
const ENOUGH_BYTES = 16_384;

type Backend = Pick<RedisQueueBackend, 'execCommand'>;
type Socket = Pick<Writable, 'cork' | 'uncork' | 'writableLength'>;

/**
 * Hands the commands of jobs that end together to the system together. A worker settles each job by a command of its own, and
 * its client writes each command by a call of the system, which was a twentieth of what a job costs its worker. Nothing waits
 * longer for that than until the code that runs now is done.
 */
export function gatherWrites(backend: Backend): void {
  const exec = backend.execCommand.bind(backend);
  let holding: Socket | null = null;
  const release = (): void => {
    holding?.uncork();
    holding = null;
  };
  const hold = (socket: Socket): void => {
    release();
    socket.cork();
    holding = socket;
    process.nextTick(release);
  };
  backend.execCommand = (client, script, args): unknown => {
    // A connection that was made anew has another socket; one that is being made has none.
    const { stream } = client as unknown as { readonly stream?: Socket };
    if (stream && stream !== holding) hold(stream);
    const answer: unknown = exec(client, script, args);
    if (stream && stream.writableLength >= ENOUGH_BYTES) release();
    return answer;
  };
}

import { Writable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { gatherWrites } from '../src/worker/gathered-writes.js';

/** A socket that remembers its calls of the system, and a client that writes each command to it by itself. */
class Socket extends Writable {
  readonly calls: string[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.calls.push(String(chunk));
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), '', done);
  }
}

function gathering(): (stream: Socket | undefined, command: string) => unknown {
  const backend = {
    execCommand: (client: unknown, command: string): unknown => (client as { stream?: Socket }).stream?.write(command) ?? 'later',
  };
  gatherWrites(backend);
  return (stream, command) => backend.execCommand({ stream }, command);
}

const ticked = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

describe('the commands of a worker', () => {
  it('are written together when they are sent in one go, also by what follows from promises', async () => {
    const [send, socket] = [gathering(), new Socket()];
    send(socket, 'a');
    send(socket, 'b');
    await Promise.resolve();
    send(socket, 'c');
    expect(socket.calls).toEqual([]);
    await ticked();
    expect(socket.calls).toEqual(['abc']);
    send(socket, 'd');
    await ticked();
    expect(socket.calls).toEqual(['abc', 'd']);
  });

  it('are written at once when they are as much as Redis reads at once', async () => {
    const [send, socket] = [gathering(), new Socket()];
    const large = 'x'.repeat(10_000);
    send(socket, large);
    send(socket, large);
    send(socket, large);
    expect(socket.calls).toEqual([large + large]);
    await ticked();
    expect(socket.calls).toEqual([large + large, large]);
  });

  it('go to the socket of the present connection, and to none while there is none', async () => {
    const [send, old, present] = [gathering(), new Socket(), new Socket()];
    send(old, 'a');
    old.destroy();
    expect(send(undefined, 'b')).toBe('later');
    send(present, 'c');
    await ticked();
    expect([old.calls, present.calls]).toEqual([[], ['c']]);
    expect([old.writableCorked, present.writableCorked]).toEqual([0, 0]);
  });
});

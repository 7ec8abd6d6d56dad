/** The places in its code where a process kills itself when it is told to: nothing runs between the two lines around one. */
export const POINTS = {
  placer: [
    'outbox: the rows are written, the transaction is open',
    'outbox: the transaction is committed',
    'half message: stored, before the effect',
    'half message: after the effect, before the commit',
    'half message: the commit is sent',
  ],
  worker: [
    'inbox: before the effect',
    'inbox: after the effect, before the mark',
    'inbox: after the mark, before the settlement',
    'ledger: after the effect, before the mark',
    'ledger: after the mark, before the settlement',
    'memo: after the step, before it is stored',
    'memo: the step is stored',
    'relay: a page is published, before its rows are updated',
    'hop: settled, before it is forwarded',
  ],
} as const;

export type Role = keyof typeof POINTS;
export type Point = (typeof POINTS)[Role][number];

/** A point at which this process is to die. */
export class Points {
  #armed: string | null = null;

  /** The next time that the point is passed, this process is killed. */
  arm(point: string): void {
    this.#armed = point;
  }

  pass(point: Point): void {
    if (this.#armed === point) process.kill(process.pid, 'SIGKILL');
  }
}

import type { Draws } from './draws.js';
import type { MemberRequest } from './member-request.js';
import type { Mode } from './mode.js';

export type FaultKind =
  | { readonly kind: 'lose'; readonly process: number }
  | { readonly kind: 'kill'; readonly process: number }
  | { readonly kind: 'stop'; readonly process: number; readonly deadlineMs: number; readonly loses: boolean }
  | { readonly kind: 'freeze'; readonly process: number; readonly forMs: number }
  /**
   * Whichever member sends the next request of a kind is frozen behind it, or killed with null for `frozenMs`. The request
   * arrives so late, and what the member sends behind it later still; with null for `lateMs` as the weather is.
   */
  | { readonly kind: 'strand'; readonly request: MemberRequest; readonly lateMs: number | null; readonly frozenMs: number | null }
  | { readonly kind: 'cut'; readonly process: number; readonly forMs: number; readonly how: 'lost' | 'silent' }
  | { readonly kind: 'clock'; readonly process: number; readonly byMs: number }
  | { readonly kind: 'redis-clock'; readonly byMs: number }
  | { readonly kind: 'redis-stall'; readonly forMs: number }
  | { readonly kind: 'forget-scripts' }
  | { readonly kind: 'destroy-group'; readonly choice: number; readonly kills: boolean }
  | { readonly kind: 'pause'; readonly forMs: number }
  | { readonly kind: 'seek' }
  /** Two operators do, and the request of one arrives so late. */
  | { readonly kind: 'redrive'; readonly process: number; readonly lateMs: number };

export type Fault = FaultKind & { readonly atMs: number };

export interface Setting {
  readonly members: number;
  readonly leaseMs: number;
  readonly calmAtMs: number;
  readonly mode: Mode;
  /** The share of plans with members that stop behind a request. */
  readonly strands: number;
}

/** Few kinds in one plan, and several of each: what meets itself is found more often than in a mixture of everything. */
export function faultsOf(draws: Draws, setting: Setting): readonly Fault[] {
  const kinds = Array.from({ length: draws.between(1, 3) }, () => draws.of(FAULTS));
  if (draws.happens(setting.strands)) kinds.splice(1, 2, strand, strand);
  // In ordered mode a redrive would hide most of what there is to find.
  else if (setting.mode === 'shared' && draws.happens(0.25)) kinds.fill(draws.of([redrive, destroyGroup]));
  return Array.from({ length: draws.below(6) }, () => {
    const fault = draws.of(kinds)(draws, { ...setting, process: draws.below(setting.members + 1) });
    return { ...fault, atMs: draws.below(setting.calmAtMs) };
  });
}

type FaultOf = (draws: Draws, setting: Setting & { readonly process: number }) => FaultKind;

/** As a rule late enough for others to have taken over, which takes two leases, and to work with what the member had. */
const strand: FaultOf = (draws, { leaseMs }) => {
  const request = draws.of(['read', 'settle', 'note'] as const);
  const lateMs = draws.happens(0.9) ? draws.between(2 * leaseMs, 5 * leaseMs) : null;
  const frozenMs = draws.happens(0.5) ? draws.between(leaseMs, 5 * leaseMs) : null;
  return { kind: 'strand', request, lateMs, frozenMs };
};

const redrive: FaultOf = (draws, { process }) => ({ kind: 'redrive', process, lateMs: draws.between(200, 1_500) });

const destroyGroup: FaultOf = (draws) => ({ kind: 'destroy-group', choice: draws.below(1_000), kills: draws.happens(0.3) });

const DEADLINES_MS = [0, 20, 200, 1_500];

const FAULTS: readonly FaultOf[] = [
  (_, { process }) => ({ kind: 'lose', process }),
  (_, { process }) => ({ kind: 'kill', process }),
  (_, { process }) => ({ kind: 'kill', process }),
  (draws, { process }) => ({ kind: 'stop', process, deadlineMs: draws.of(DEADLINES_MS), loses: false }),
  (draws, { process }) => ({ kind: 'stop', process, deadlineMs: draws.of(DEADLINES_MS), loses: true }),
  (draws, { process, leaseMs }) => ({ kind: 'freeze', process, forMs: draws.between(10, 3 * leaseMs) }),
  (draws, { process, leaseMs }) => ({ kind: 'freeze', process, forMs: draws.between(leaseMs, 3 * leaseMs) }),
  (draws, { process, leaseMs }) => ({ kind: 'cut', process, forMs: draws.between(1, 2 * leaseMs), how: draws.of(['lost', 'silent']) }),
  (draws, { process }) => ({ kind: 'clock', process, byMs: draws.between(-100_000, 100_000) }),
  (draws) => ({ kind: 'redis-clock', byMs: draws.between(-4_000, 4_000) }),
  (draws, { leaseMs }) => ({ kind: 'redis-stall', forMs: draws.between(10, 2 * leaseMs) }),
  () => ({ kind: 'forget-scripts' }),
  destroyGroup,
  (draws) => ({ kind: 'pause', forMs: draws.between(10, 600) }),
  redrive,
  () => ({ kind: 'seek' }),
  strand,
];

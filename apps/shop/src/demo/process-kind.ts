/** The kinds of processes beside the demo itself: those of the handlers, and one for each service. */
export const PROCESS_KINDS = ['worker', 'checkout', 'payments'] as const;
export type ProcessKind = (typeof PROCESS_KINDS)[number];

/** Kills, by the kind of the process. */
export type KillCounts = Readonly<Record<ProcessKind, number>>;

export const NO_KILLS: KillCounts = { worker: 0, checkout: 0, payments: 0 };

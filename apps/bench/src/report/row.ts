/** One figure. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The bound that the figure is held to, such as `<= 0.9`; null when it has none. */
  readonly target: string | null;
  /** Null without a target. */
  readonly holds: boolean | null;
}

export type Bound = readonly ['<=' | '>=', number];

export function row(name: string, value: number, { unit, bound }: { readonly unit: string; readonly bound?: Bound }): Row {
  const target = bound ? bound.join(' ') : null;
  return { name, value: rounded(value), unit, target, holds: bound ? holds(value, bound) : null };
}

function holds(value: number, [relation, limit]: Bound): boolean {
  return relation === '<=' ? value <= limit : value >= limit;
}

/** To four digits: the machine is noisier than that. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

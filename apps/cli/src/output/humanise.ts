/** A value of a table as it is shown: to be read, or exactly as it is. */
export interface Form {
  readonly text: (value: never) => string;
  readonly exact: (value: never) => string;
  readonly isNumber: boolean;
}

const NOTHING = '-';
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
const TIME_UNITS = [['d', 86_400], ['h', 3_600], ['m', 60], ['s', 1]] as const;

export const TEXT: Form = form((value: string) => value, { isNumber: false });

export const COUNT: Form = form((value: number) => value.toLocaleString('en-US'), { isNumber: true });

export const BYTES: Form = form(bytes, { isNumber: true });

/** A length of time in seconds. */
export const SECONDS: Form = form(seconds, { isNumber: true });

/** A length of time in milliseconds. */
export const MILLISECONDS: Form = form((value: number) => (value < 1_000 ? `${Math.round(value)}ms` : seconds(value / 1_000)), { isNumber: true });

/** A moment in ISO 8601. */
export const MOMENT: Form = form((value: string) => value.replace('T', ' ').replace(/\.\d+Z$/, 'Z'), { isNumber: false });

export const YES_NO: Form = form((value: boolean) => (value ? 'yes' : 'no'), { isNumber: false });

/** Names, separated by commas. */
export const LIST: Form = form((value: readonly (string | number)[]) => (value.length === 0 ? NOTHING : value.join(', ')), { isNumber: false });

/** Any value, as JSON; a text as it is. */
export const JSON_VALUE: Form = form((value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value)), { isNumber: false });

/** A value as it is shown. Null and undefined have no value to show. */
export function shown({ text, exact }: Form, value: unknown, isRaw: boolean): string {
  if (value === null || value === undefined) return NOTHING;
  return (isRaw ? exact : text)(value as never);
}

function form<T>(text: (value: T) => string, { isNumber }: Pick<Form, 'isNumber'>): Form {
  const exact = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  return { text, exact, isNumber };
}

function bytes(value: number): string {
  const power = Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10));
  const size = value / 1_024 ** power;
  return `${power === 0 ? size : size.toFixed(1)} ${BYTE_UNITS[power]!}`;
}

/** In the two largest of its units: `3h 20m`. */
function seconds(value: number): string {
  if (value < 60) return `${Number(value.toFixed(1))}s`;
  const first = TIME_UNITS.findIndex(([, size]) => value >= size);
  let rest = Math.floor(value);
  const parts = TIME_UNITS.slice(first, first + 2).map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count === 0 ? '' : `${count}${unit}`;
  });
  return parts.filter((part) => part !== '').join(' ');
}

const NUMERAL = /^(-?(?:0|[1-9]\d*))(?:\.(\d+))?$/;

/** Whether both are one decimal number, as text or as a number: 5 and '5', '12.50' and '12.5'. */
export function isOneNumber(one: unknown, other: unknown): boolean {
  const number = numeralOf(one);
  return number !== null && number === numeralOf(other);
}

/** Without zeros at its end; null for all that is no number as JSON writes it, or has an exponent. */
function numeralOf(value: unknown): string | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  const [, whole = null, fraction = ''] = NUMERAL.exec(String(value)) ?? [];
  const rest = fraction.replace(/0+$/, '');
  return rest === '' ? whole : `${whole}.${rest}`;
}

/**
 * Money is counted in thousandths, as whole numbers: prices have up to three decimals, and sums of binary fractions would
 * not come out exact.
 */
const DECIMAL = /^(-?)(\d{1,9})(?:\.(\d{1,3})0*)?$/;

/** `'2.55'` is 2550. Null when the text is no decimal number of at most nine digits before and three after the point. */
export function parseThousandths(text: string): number | null {
  const match = DECIMAL.exec(text);
  if (!match) return null;
  const [, sign, whole = '', fraction = ''] = match;
  const amount = Number(whole) * 1_000 + Number(fraction.padEnd(3, '0'));
  return sign && amount > 0 ? -amount : amount;
}

/** 2550 is `'2.550'`: always three decimals. */
export function formatThousandths(amount: bigint): string {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(4, '0');
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -3)}.${digits.slice(-3)}`;
}

/**
 * String: one entry of a ledger, in a slot of its own.
 *
 * @param scope the name of the ledger: letters, digits, `.`, `_`, `-` and `:`
 * @param id any text but one with half of a surrogate pair; what a key must not hold is encoded as in a URI
 */
export function ledgerKey(prefix: string, scope: string, id: string): string {
  return `${prefix}:{ledger:${scope}:${PLAIN_ID.test(id) ? id : encodeURIComponent(id)}}`;
}

const PLAIN_ID = /^[\w.-]*$/;

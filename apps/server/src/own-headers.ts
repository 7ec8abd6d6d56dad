/** Headers of every answer of ours: no browser makes a page of it, guesses its type or keeps it. */
export const OWN_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-store',
};

export function setOwnHeaders(set: (name: string, value: string) => unknown): void {
  for (const [name, value] of Object.entries(OWN_HEADERS)) set(name, value);
}

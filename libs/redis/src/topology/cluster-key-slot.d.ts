declare module 'cluster-key-slot' {
  /** @returns 0 to 16383 */
  export default function calculateSlot(key: string): number;
}

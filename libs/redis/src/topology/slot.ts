import calculateSlot from 'cluster-key-slot';

/** The slot of a key, or of a channel of sharded publish and subscribe, in a Redis Cluster: 0 to 16383. */
export function slotOf(key: string): number {
  return calculateSlot(key);
}

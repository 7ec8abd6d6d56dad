/** How Redis is set up: one server, a Cluster, or a primary that Sentinels watch. */
export const TOPOLOGIES = ['standalone', 'cluster', 'sentinel'] as const;

export type TopologyName = (typeof TOPOLOGIES)[number];

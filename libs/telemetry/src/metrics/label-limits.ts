/** The most values of labels; names beyond these are counted together, as `~other`. */
export const LABEL_LIMITS = {
  topics: 1_000,
  groupsOfTopic: 64,
  queues: 256,
  jobsOfQueue: 64,
  services: 256,
  methodsOfService: 64,
  errorTypes: 64,
} as const;

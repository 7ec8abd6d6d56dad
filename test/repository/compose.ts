import type { Duration } from '@millrace/core';
import { parse } from 'yaml';
import { read } from './repository.js';

/** A service of a compose file. */
export interface Service {
  image?: string;
  command?: string[];
  entrypoint?: string[];
  build?: { dockerfile: string; target: string };
  environment?: Record<string, string | number>;
  depends_on?: Record<string, { condition: string }>;
  volumes?: string[];
  ports?: string[];
  networks?: Record<string, { ipv4_address: string }>;
  healthcheck?: { test: string[] };
  restart?: string;
  stop_grace_period?: Duration;
  deploy?: { replicas: number };
}

/** A compose file. */
export interface Compose {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
  networks?: Record<string, { ipam: { config: { subnet: string }[] } }>;
}

/** @param path from the root of the repository */
export function composeOf(path: string): Compose {
  return parse(read(path), { merge: true }) as Compose;
}

/** Files and volumes that a service mounts, but do not exist. */
export function missingMounts({ volumes = [] }: Service, compose: Compose, exists: (path: string) => boolean): string[] {
  const sources = volumes.map((volume) => volume.split(':')[0]!);
  return sources.filter((source) => (source.startsWith('.') ? !exists(`docker/${source}`) : !(source in compose.volumes)));
}

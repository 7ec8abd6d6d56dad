/** The rules as Prometheus reads them, in YAML. */
export function alerts(): string;

/** The dashboard as Grafana imports it. */
export function dashboard(): object;

/** The methods of a response that Express and Fastify both have. */
export interface JsonResponse {
  status(code: number): JsonResponse;
  type(type: string): JsonResponse;
  send(body: string): unknown;
}

/** Sends an answer itself, so that no interceptor of the application makes something else of it. */
export function sendJson(response: JsonResponse, status: number, answer: unknown): void {
  response.status(status).type('application/json').send(JSON.stringify(answer));
}

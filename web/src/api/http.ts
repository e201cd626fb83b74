/**
 * GET from the API, and what to do when that fails: errors that pass (the database is starting, the network is away) are
 * tried again for as long as the page is open, errors that stay are shown.
 */
import type { Problem } from "./types";

/** Wait before the next try: what the server names but never less than the first, else doubling up to the longest. */
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

/** An answer that is none: a problem the server named, or no answer at all (`status` 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly retryAfterMs: number | undefined;

  constructor(status: number, code: string, detail: string, retryAfterMs?: number) {
    super(detail);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same request can succeed later. */
  get passes(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** One GET. Rejects with `ApiError`, or with the signal's reason when it is called off. */
export async function getJson<T>(path: string, parameters: Record<string, string>, signal: AbortSignal): Promise<T> {
  const query = new URLSearchParams(parameters).toString();
  const response = await reach(query === "" ? path : `${path}?${query}`, signal);
  if (!response.ok) throw await toApiError(response);
  // The server's OpenAPI document and this type say the same; its tests hold it to that.
  return (await response.json()) as T;
}

/** Milliseconds before try number `failures + 1`. */
export function retryWaitMs(failures: number, error: unknown): number {
  const named = error instanceof ApiError ? error.retryAfterMs : undefined;
  if (named !== undefined) return Math.max(FIRST_WAIT_MS, named);
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
}

/** Whether it is worth trying again after this error, however often it came. */
export function shouldRetry(error: unknown): boolean {
  return error instanceof ApiError && error.passes;
}

/** GET until it works. `onProblem` hears of each failure, so that the page can say why it waits. */
export async function getPatiently<T>(
  path: string,
  parameters: Record<string, string>,
  signal: AbortSignal,
  onProblem: (error: ApiError) => void,
): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await getJson<T>(path, parameters, signal);
    } catch (error) {
      if (!(error instanceof ApiError) || !error.passes) throw error;
      onProblem(error);
      await pause(retryWaitMs(failures, error), signal);
    }
  }
}

async function reach(url: string, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { signal, headers: { Accept: "application/json" } });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TypeError) throw new ApiError(0, "unreachable", "The house does not answer.");
    throw error;
  }
}

async function toApiError(response: Response): Promise<ApiError> {
  const seconds = Number(response.headers.get("Retry-After") ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : undefined;
  const problem = await readProblem(response);
  const detail = problem?.detail ?? `The house answered with status ${response.status}.`;
  return new ApiError(response.status, problem?.code ?? "unknown", detail, retryAfterMs);
}

async function readProblem(response: Response): Promise<Partial<Problem> | undefined> {
  try {
    return (await response.json()) as Partial<Problem>;
  } catch {
    return undefined; // a proxy's page, perhaps: the status is all there is to tell
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

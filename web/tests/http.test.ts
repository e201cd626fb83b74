/** The API client against a real HTTP server on the loopback. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ApiError, getJson, getPatiently, retryWaitMs, shouldRetry } from "../src/api/http";
import { sentenceFor } from "../src/api/sentences";

interface Answer {
  status: number;
  body: string;
  headers?: Record<string, string>;
}

const AWAY: Answer = {
  status: 503,
  body: JSON.stringify({ status: 503, code: "database_unavailable", detail: "The database is away." }),
  headers: { "Retry-After": "0" },
};

describe("the API client", () => {
  let server: Server;
  let answers: Answer[];
  let paths: string[];
  beforeEach(async () => {
    answers = [];
    paths = [];
    server = createServer((request, response) => {
      paths.push(request.url ?? "");
      const answer = answers.shift() ?? { status: 200, body: "{}" };
      response.writeHead(answer.status, answer.headers).end(answer.body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;

  it("reads JSON and escapes what it asks for", async () => {
    answers.push({ status: 200, body: '{"a":1}' });
    expect(await getJson(url(), { symbol: "A&B" }, AbortSignal.any([]))).toEqual({ a: 1 });
    expect(paths).toEqual(["/api?symbol=A%26B"]);
  });

  it("names the problem of a refusal, and does not try again", async () => {
    answers.push({ status: 400, body: '{"code":"unknown_symbol","detail":"NOPE is no symbol."}' });
    const problems: ApiError[] = [];
    const reading = getPatiently(url(), {}, AbortSignal.any([]), (problem) => problems.push(problem));
    await expect(reading).rejects.toMatchObject({ status: 400, code: "unknown_symbol", message: "NOPE is no symbol." });
    expect(problems).toEqual([]);
    expect(paths).toHaveLength(1);
  });

  it("tries again until the database is there, and says why it waits", async () => {
    answers.push(AWAY, AWAY, { status: 200, body: '{"a":1}' });
    const problems: ApiError[] = [];
    expect(await getPatiently(url(), {}, AbortSignal.any([]), (problem) => problems.push(problem))).toEqual({ a: 1 });
    expect(problems.map((problem) => sentenceFor(problem).title)).toEqual(Array(2).fill("The database is starting"));
  });

  it("gives up at once when it is called off, even while it waits", async () => {
    answers.push({ ...AWAY, headers: { "Retry-After": "60" } });
    const calling = new AbortController();
    const reading = getPatiently(url(), {}, calling.signal, () => {
      calling.abort();
    });
    await expect(reading).rejects.toThrow();
    expect(paths).toHaveLength(1);
  });

  it("makes a sentence of an answer that is no problem document, and of none", async () => {
    answers.push({ status: 502, body: "<html>" });
    await expect(getJson(url(), {}, AbortSignal.any([]))).rejects.toMatchObject({ status: 502, code: "unknown" });
    const nowhere = getJson("http://127.0.0.1:1/", {}, AbortSignal.any([]));
    await expect(nowhere).rejects.toMatchObject({ status: 0, code: "unreachable", passes: true });
  });
});

describe("waiting", () => {
  it("follows the server's word, but never hammers it", () => {
    expect(retryWaitMs(0, new ApiError(503, "x", "", 3_000))).toBe(3_000);
    expect(retryWaitMs(0, new ApiError(503, "x", "", 0))).toBe(500);
    expect([0, 1, 2, 20].map((failures) => retryWaitMs(failures, undefined))).toEqual([500, 1_000, 2_000, 10_000]);
  });

  it("is worth it only for errors that pass", () => {
    expect([0, 429, 500, 503].every((status) => shouldRetry(new ApiError(status, "x", "")))).toBe(true);
    expect([400, 404, 405].some((status) => shouldRetry(new ApiError(status, "x", "")))).toBe(false);
    expect(shouldRetry(new Error("a bug"))).toBe(false);
  });
});

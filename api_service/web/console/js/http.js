// @ts-check
// One request to the service: JSON out, an answer or an ApiProblem in.
import { ApiProblem } from "./problems.js";

const ANSWER_MS = 12_000; // the service answers within eight seconds, whatever breaks

/**
 * @typedef {{method?: string, body?: unknown, headers?: Record<string, string>, patience?: number}} Options
 */

/**
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<Response>} one that succeeded
 * @throws {ApiProblem}
 */
export async function send(path, { method = "GET", body, headers = {}, patience = ANSWER_MS } = {}) {
  /** @type {Record<string, string>} */
  const json = body === undefined ? {} : { "Content-Type": "application/json" };
  /** @type {RequestInit} */
  const request = {
    method,
    headers: { Accept: "application/json", ...json, ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(patience),
    cache: "no-store",
  };
  let response;
  try {
    response = await fetch(path, request);
  } catch (error) {
    const slug = error instanceof DOMException && error.name === "TimeoutError" ? "no-answer" : "offline";
    throw new ApiProblem(0, { type: `/problems/${slug}` });
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** @param {Response} response */
async function problemOf(response) {
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
  const body = isProblem ? await response.json() : { title: `The service answered ${response.status}` };
  return new ApiProblem(response.status, body, Number.isNaN(seconds) ? null : seconds);
}

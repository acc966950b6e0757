// How requests reach the API: queries and mutations by POST, subscriptions by graphql-transport-ws, on one URL.
// Always true: both carry the session's token; an Authorization header typed into the headers editor goes before it.
// Not here: the tokens themselves (session.ts).

import type { Fetcher, FetcherParams } from "@graphiql/toolkit";
import { getOperationAST, type ExecutionResult } from "graphql";
import { createClient, type Client, type SubscribePayload } from "graphql-ws";
import { currentState, freshToken, onChange, refresh } from "./session";
import { remember } from "./remembered";

const HTTP_URL = new URL("/graphql", location.href).href;
const SOCKET_URL = HTTP_URL.replace(/^http/, "ws");

type Headers = Record<string, string>;

/** Headers typed into the editor, which a socket can only present when it opens. */
let typedHeaders: Headers = {};

export const socket: Client = createClient({
  url: SOCKET_URL,
  connectionParams: async () => authorized(typedHeaders),
  // A server that restarts, or closes the socket because its token expired, is asked again; the wait doubles each time.
  retryAttempts: 20,
  keepAlive: 20_000,
});

// A socket belongs to whoever opened it: another caller needs another one.
let caller = currentState().session?.username;
onChange(() => {
  const next = currentState().session?.username;
  if (next !== caller) socket.terminate();
  caller = next;
});

export const fetcher: Fetcher = (params, options) => {
  const headers = (options?.headers ?? {}) as Headers;
  const operation = options?.documentAST && getOperationAST(options.documentAST, params.operationName);
  return operation?.operation === "subscription" ? subscribe(params, headers) : post(params, headers);
};

async function post(params: FetcherParams, headers: Headers): Promise<ExecutionResult> {
  let response = await send(params, headers);
  // A token that was refused never reached the business, so asking again under a new one is safe, mutations included.
  if (response.status === 401 && currentState().session && !has(headers, "authorization") && (await refresh())) {
    response = await send(params, headers);
  }
  const result: ExecutionResult = await response.json();
  remember(result.data);
  return result;
}

async function send(params: FetcherParams, headers: Headers): Promise<Response> {
  return fetch(HTTP_URL, {
    method: "POST",
    headers: {
      Accept: "application/graphql-response+json, application/json;q=0.9",
      "Content-Type": "application/json",
      ...(await authorized(headers)),
    },
    body: JSON.stringify(params),
  });
}

function subscribe(params: FetcherParams, headers: Headers) {
  if (JSON.stringify(headers) !== JSON.stringify(typedHeaders)) {
    typedHeaders = headers;
    socket.terminate();
  }
  const results = socket.iterate(params as SubscribePayload);
  // Not an async generator: its `return` would wait for the next event before it stopped the subscription.
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: async () => {
      try {
        const result = await results.next();
        if (!result.done) remember(result.value.data);
        return result;
      } catch (failure) {
        throw failure instanceof CloseEvent ? new Error(`The socket was closed: ${failure.code} ${failure.reason}`) : failure;
      }
    },
    return: () => results.return!(),
    throw: (failure: unknown) => results.throw!(failure),
  } as AsyncIterableIterator<ExecutionResult>;
}

async function authorized(headers: Headers): Promise<Headers> {
  if (has(headers, "authorization")) return headers;
  const token = await freshToken();
  return token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
}

function has(headers: Headers, name: string): boolean {
  return Object.keys(headers).some((key) => key.toLowerCase() === name);
}

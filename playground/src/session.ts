// The signed-in session: who is calling, and a token that is always fresh.
// Always true: the tokens live in memory. They touch sessionStorage only between leaving a page and its reload, so that a
//   duplicated tab never gets a copy of a refresh token: using one twice ends the session.
// Not here: how requests are sent (endpoint.ts) and what the sign-in box looks like (session-box.tsx).

export interface Session {
  username: string;
  token: string;
  refreshToken: string;
  /** When the token expires, in milliseconds since 1970. */
  expiresAt: number;
}

export interface SessionState {
  session: Session | null;
  /** Why there is no session, when that needs saying. */
  notice: string | null;
}

interface TokenPayload {
  token: string | null;
  expiresIn: number | null;
  refreshToken: string | null;
  secondFactor?: { methods: string[] } | null;
  userErrors: { message: string }[];
}

const STORAGE_KEY = "octopus-session";
/** How long before its end a token is exchanged. */
const REFRESH_AHEAD_MS = 60_000;
/** The longest delay that a browser's timer takes. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const LOGIN = `mutation SignIn($input: LoginInput!) {
  login(input: $input) { token expiresIn refreshToken secondFactor { methods } userErrors { message } }
}`;
const REFRESH = `mutation Refresh($input: RefreshTokenInput!) {
  refreshToken(input: $input) { token expiresIn refreshToken userErrors { message } }
}`;
const LOGOUT = `mutation SignOut { logout { loggedOut } }`;

let state: SessionState = { session: takeStored(), notice: null };
let timer: ReturnType<typeof setTimeout> | undefined;
let refreshing: Promise<boolean> | null = null;
const listeners = new Set<() => void>();

export function currentState(): SessionState {
  return state;
}

/** Calls `listener` after every change; returns how to stop that. */
export function onChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Signs in; the reason if that was refused, else null. */
export async function signIn(username: string, password: string): Promise<string | null> {
  const payload = await call<TokenPayload>("login", LOGIN, { input: { username, password } });
  if (typeof payload === "string") return payload;
  if (payload.secondFactor) return "This account needs a second factor, which the playground cannot present.";
  return adopt(username, payload) ? null : (payload.userErrors[0]?.message ?? "The server gave no token.");
}

/** Ends the session here at once, and on the server as soon as it hears of it. */
export async function signOut(): Promise<void> {
  const token = state.session?.token;
  change({ session: null, notice: null });
  if (token) await call("logout", LOGOUT, {}, token);
}

/** The access token, exchanged first if it is about to expire; null when nobody is signed in. */
export async function freshToken(): Promise<string | null> {
  const { session } = state;
  if (session && session.expiresAt - Date.now() < REFRESH_AHEAD_MS / 2) await refresh();
  return state.session?.token ?? null;
}

/** Exchanges the refresh token, once however many ask at the same time; whether there is a session afterwards. */
export function refresh(): Promise<boolean> {
  refreshing ??= exchange().finally(() => (refreshing = null));
  return refreshing;
}

async function exchange(): Promise<boolean> {
  const { session } = state;
  if (!session) return false;
  const payload = await call<TokenPayload>("refreshToken", REFRESH, { input: { refreshToken: session.refreshToken } });
  if (state.session !== session) return state.session !== null;
  if (typeof payload === "string") {
    // The server cannot be reached: the token is good until it expires, and the next request tries again.
    return true;
  }
  if (adopt(session.username, payload)) return true;
  change({ session: null, notice: "Your session has ended. Please sign in again." });
  return false;
}

function adopt(username: string, payload: TokenPayload): boolean {
  const { token, refreshToken, expiresIn } = payload;
  if (!token || !refreshToken || !expiresIn) return false;
  change({ session: { username, token, refreshToken, expiresAt: Date.now() + expiresIn * 1000 }, notice: null });
  return true;
}

function change(next: SessionState) {
  state = next;
  schedule();
  for (const listener of listeners) listener();
}

function schedule() {
  clearTimeout(timer);
  if (!state.session) return;
  const delay = state.session.expiresAt - Date.now() - REFRESH_AHEAD_MS;
  timer = setTimeout(() => void refresh(), Math.min(Math.max(delay, 0), LONGEST_TIMER_MS));
}

/** One mutation of the session's own; the payload, or why there is none. */
async function call<T>(field: string, query: string, variables: object, token?: string): Promise<T | string> {
  try {
    const response = await fetch("/graphql", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await response.json();
    return data?.[field] ?? errors?.[0]?.message ?? `The server answered ${response.status}.`;
  } catch {
    return "The server cannot be reached.";
  }
}

function takeStored(): Session | null {
  try {
    const stored = sessionStorage.getItem(STORAGE_KEY);
    sessionStorage.removeItem(STORAGE_KEY);
    return stored ? JSON.parse(stored) : null;
  } catch {
    return null;
  }
}

addEventListener("pagehide", () => {
  if (state.session) sessionStorage.setItem(STORAGE_KEY, JSON.stringify(state.session));
});
// A page that comes back from the browser's cache never went through `takeStored`.
addEventListener("pageshow", (event) => {
  if (event.persisted) sessionStorage.removeItem(STORAGE_KEY);
});
schedule();
